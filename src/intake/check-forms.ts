import type { Form, TextRule } from './check-rules.ts';

/** What each form looks like, in words for a message and as a pattern for the JSON Schema. */
export const FORMS = {
  'date-time': {
    words: 'an RFC 3339 date and time with an offset, such as 2026-11-24T11:08:09.123Z',
    pattern: '^\\d{4}-\\d{2}-\\d{2}[Tt]\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,9})?([Zz]|[+-]\\d{2}:\\d{2})$',
  },
  action: {
    words: 'words of letters, digits, "_" and "-" with dots between them, such as invoice.refund',
    pattern: '^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*$',
  },
  traceparent: {
    words: 'a W3C traceparent, such as 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    pattern: '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$',
  },
} as const satisfies Record<Form, { words: string; pattern: string }>;

const patterns = new Map(Object.entries(FORMS).map(([form, { pattern }]) => [form, new RegExp(pattern)]));

/** True when a text has this form. It is the readable twin of `hasForm` in `scan-forms.ts`, and a fuzz test holds them together. */
export function textHasForm(value: string, form: Form): boolean {
  if (patterns.get(form)?.test(value) !== true) return false;
  return form !== 'date-time' || isRealTime(value);
}

/** How many characters a text has: Unicode code points, an unpaired surrogate counting as one. */
export function characters(value: string): number {
  let count = 0;
  for (const _ of value) count += 1;
  return count;
}

/** The code of what is wrong with a text, or `null`. */
export function textFault(value: string, rule: TextRule): 'EVENT_FIELD_TOO_SHORT' | 'EVENT_FIELD_TOO_LONG' | 'EVENT_FIELD_FORMAT' | null {
  if (value.length < rule.min) return 'EVENT_FIELD_TOO_SHORT';
  // A text never has more characters than code units, so that most need no counting.
  if (value.length > rule.max && characters(value) > rule.max) return 'EVENT_FIELD_TOO_LONG';
  return rule.form === undefined || textHasForm(value, rule.form) ? null : 'EVENT_FIELD_FORMAT';
}

/** True when the fields of a text that looks like a date and time are in range. A leap second is one only at 23:59:60 UTC. */
function isRealTime(value: string): boolean {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = value.slice(0, 19).split(/\D/).map(Number);
  const [, sign, offsetHour = '0', offsetMinute = '0'] = /([+-])(\d{2}):(\d{2})$/.exec(value.slice(19)) ?? [];
  const date = new Date(0);
  // The four-argument form would read the years 0 to 99 as 1900 to 1999.
  date.setUTCFullYear(year, month - 1, day);
  const realDay = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
  if (!realDay || hour > 23 || minute > 59 || second > 60 || Number(offsetHour) > 23 || Number(offsetMinute) > 59) return false;
  const offset = (Number(offsetHour) * 60 + Number(offsetMinute)) * (sign === '-' ? -1 : 1);
  return second < 60 || (hour * 60 + minute - offset + 2_880) % 1_440 === 1_439;
}
