import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { z } from 'zod';
import { Dice } from '../../test/fuzz/dice.ts';
import { eventText } from '../../test/fuzz/json-event.ts';
import { FAULT_CODES } from '../contracts/faults.ts';
import { explain } from './check-explain.ts';
import { FORMS } from './check-forms.ts';
import type { Rule } from './check-rules.ts';
import type { Tree } from './check-tree.ts';
import { readTree } from './check-tree.ts';
import { waybillEventRule } from './waybill-event.ts';
import { waybillEventJsonSchema } from './waybill-event-schema.ts';

const page = readFileSync(new URL('../../docs/formats/waybill-1.md', import.meta.url), 'utf8');
const thousands = (count: number): string => count.toLocaleString('en-US');

/** What a rule asks, in the words of the page. */
function asked(rule: Rule): string {
  switch (rule.kind) {
    case 'text': {
      const length = rule.min > 0 ? `${rule.min} to ${thousands(rule.max)} characters` : `at most ${thousands(rule.max)} characters`;
      return rule.form === undefined ? `string, ${length}` : `string: ${FORMS[rule.form].words}; at most ${rule.max} characters`;
    }
    case 'choice':
      return rule.values.map((value) => `\`${value}\``).join(', ');
    case 'identity':
      return 'string, 1 to 512 bytes';
    case 'count':
      return 'integer, 0 to 2^53 − 1';
    case 'flag':
      return '`true` or `false`';
    case 'scalar':
      return 'string, number, `true`, `false` or `null`';
    case 'list':
      return `array, at most ${rule.max} items`;
    case 'object': {
      const values = rule.others.kind === 'scalar' ? ' of strings, numbers, `true`, `false` and `null`' : '';
      const names = rule.namesMax === undefined ? '' : `, at most ${rule.namesMax} names`;
      return `object${values}${names}${rule.bytesMax === undefined ? '' : `, at most ${thousands(rule.bytesMax)} bytes as it is sent`}`;
    }
    default:
      return rule.kind === 'any' ? 'any JSON value' : 'must not be there';
  }
}

/** The rows of the page's table of fields. */
function rows(rule: Rule, path: string, required: boolean): string[] {
  const own = path === '' ? [] : [`| \`${path}\` | ${required ? 'yes' : ''} | ${asked(rule)} | ${rule.means} |`];
  if (rule.kind === 'list') return [...own, ...rows(rule.item, `${path}[]`, false)];
  if (rule.kind !== 'object') return own;
  const inner = Object.entries(rule.fields).flatMap(([name, field]) =>
    rows(field, path === '' ? name : `${path}.${name}`, rule.required.includes(name)),
  );
  return [...own, ...inner];
}

describe('docs/formats/waybill-1.md', () => {
  test('lists every field as it is checked', () => {
    const table = rows(waybillEventRule, '', true).join('\n');
    assert.ok(page.includes(`\n${table}\n\n`), `the page must hold exactly this table:\n${table}`);
  });

  test('lists every fault code with its meaning', () => {
    const table = Object.entries(FAULT_CODES)
      .map(([code, { keepable, means, action }]) => `| \`${code}\` | ${means} | ${action} | ${keepable ? 'yes' : 'no'} |`)
      .join('\n');
    assert.ok(page.includes(`\n${table}\n\n`), `the page must hold exactly this table:\n${table}`);
  });

  test('its examples are events without a fault', () => {
    const examples = [...page.matchAll(/```json\n(.*?)```/gs)].map(([, text]) => Buffer.from((text ?? '').trim()));
    assert.ok(examples.length >= 2);
    for (const example of examples) assert.deepEqual(explain(example, waybillEventRule), []);
  });
});

test('the JSON Schema says the same as the checks, wherever a schema can say it', () => {
  // Another library's idea of a date and time is not what is tested here; the pattern stays.
  const schema = JSON.parse(JSON.stringify(waybillEventJsonSchema, (key, value: unknown) => (key === 'format' ? undefined : value)));
  const reader = z.fromJSONSchema(schema);
  const structural = new Set(['EVENT_FIELD_MISSING', 'EVENT_FIELD_TYPE', 'EVENT_FIELD_VALUE', 'EVENT_FIELD_TOO_SHORT', 'EVENT_TOO_MANY']);
  const dice = new Dice(7);
  let taken = 0;
  let refused = 0;
  for (let k = 0; k < 4_000; k += 1) {
    const text = eventText(dice, waybillEventRule);
    const codes = explain(Buffer.from(text), waybillEventRule).map(({ code }) => code);
    // A name that means something to the language, or a text of characters outside the first plane, is read in ways of its own.
    if (/__proto__|constructor|[\ud800-\udfff]|\\u[dD]/.test(text)) continue;
    const read = readTree(text);
    if ('why' in read) continue;
    const fits = reader.safeParse(valueOf(read.tree)).success;
    if (codes.length === 0) {
      assert.equal(fits, true, text);
      taken += 1;
    } else if (codes.some((code) => structural.has(code))) {
      assert.equal(fits, false, `${codes.join(' ')}: ${text}`);
      refused += 1;
    }
  }
  assert.ok(taken > 200 && refused > 200, `${taken} were taken and ${refused} refused`);
});

/** The value of a tree: not by `JSON.parse`, which some engines mislead with escaped names. */
function valueOf(tree: Tree): unknown {
  if (tree.kind === 'plain') return tree.value;
  if (tree.kind === 'list') return tree.items.map(valueOf);
  return Object.fromEntries([...tree.members].map(([name, member]) => [name, valueOf(member)]));
}
