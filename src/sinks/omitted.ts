import type { Omitted } from '../contracts/sink.ts';

/**
 * What a batch leaves out, as JSON in ASCII for a header. When more than `listedMax` entries are set aside the first ones are listed and
 * all are counted.
 */
export function omittedText({ filtered, quarantined, control, detached }: Omitted, listedMax: number): string {
  const gone = detached === 0 ? {} : { detached };
  if (quarantined.length <= listedMax) return JSON.stringify({ filtered, quarantined, control, ...gone });
  const listed = quarantined.slice(0, listedMax);
  return JSON.stringify({ filtered, quarantined: listed, quarantined_count: quarantined.length, control, ...gone });
}
