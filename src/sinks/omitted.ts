import type { Omitted } from '../contracts/sink.ts';

/**
 * What a batch leaves out, as JSON in ASCII for a header. When more than `listedMax` entries are set aside the first ones are listed and
 * all are counted.
 */
export function omittedText({ filtered, quarantined, control }: Omitted, listedMax: number): string {
  if (quarantined.length <= listedMax) return JSON.stringify({ filtered, quarantined, control });
  const listed = quarantined.slice(0, listedMax);
  return JSON.stringify({ filtered, quarantined: listed, quarantined_count: quarantined.length, control });
}
