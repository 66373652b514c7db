const SIZE_UNITS: Readonly<Record<string, number>> = { B: 1, KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824, TiB: 1_099_511_627_776 };
const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** What a size looks like in the configuration. */
export const SIZE_PATTERN = /^(\d{1,9}(?:\.\d{1,3})?)(B|KiB|MiB|GiB|TiB)$/;

/** What a duration looks like in the configuration. */
export const DURATION_PATTERN = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d)$/;

/** The bytes that a size such as `5MiB` stands for, rounded to whole bytes, or `null` when it is not one. */
export function parseSize(text: string): number | null {
  return parseQuantity(text, SIZE_PATTERN, SIZE_UNITS);
}

/** The milliseconds that a duration such as `250ms` or `400d` stands for, rounded to whole ones, or `null` when it is not one. */
export function parseDuration(text: string): number | null {
  return parseQuantity(text, DURATION_PATTERN, DURATION_UNITS);
}

/** A size in the largest unit that keeps it readable, for people: `1.5 GiB`. */
export function sizeText(bytes: number): string {
  return quantityText(bytes, SIZE_UNITS);
}

/** A duration in the largest unit that keeps it readable, for people: `2.5 s`. */
export function durationText(ms: number): string {
  return quantityText(ms, DURATION_UNITS);
}

function parseQuantity(text: string, pattern: RegExp, units: Readonly<Record<string, number>>): number | null {
  const match = pattern.exec(text);
  const factor = units[match?.[2] ?? ''];
  if (match === null || factor === undefined) return null;
  const value = Math.round(Number(match[1]) * factor);
  return Number.isSafeInteger(value) ? value : null;
}

function quantityText(value: number, units: Readonly<Record<string, number>>): string {
  let best: readonly [string, number] = ['', 1];
  for (const [unit, factor] of Object.entries(units)) if (best[0] === '' || Math.abs(value) >= factor) best = [unit, factor];
  return `${Number((value / best[1]).toFixed(1))} ${best[0]}`;
}
