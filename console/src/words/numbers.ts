const count = new Intl.NumberFormat('en-US');
const oneDigit = new Intl.NumberFormat('en-US', { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** A whole number: `12,345`. */
export function countText(value: number): string {
  return count.format(Math.round(value));
}

/** How many a second, as exactly as it can be read: `0`, `0.4`, `52`, `12,345`. */
export function rateText(perSecond: number): string {
  if (perSecond < 0.05) return '0';
  return perSecond < 10 ? oneDigit.format(perSecond) : countText(perSecond);
}

/** A duration for people: `0.4 s`, `12 s`, `3 min`, `2 h`, `5 days`. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, ms) / 1_000;
  if (seconds < 9.95) return `${oneDigit.format(seconds)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 36 * 3_600) return `${Math.round(seconds / 3_600)} h`;
  return `${countText(seconds / 86_400)} days`;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** A size: `12.1 MiB`. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1_024 && unit < UNITS.length - 1) {
    value /= 1_024;
    unit += 1;
  }
  return `${unit === 0 ? countText(value) : oneDigit.format(value)} ${UNITS[unit]}`;
}

/** `1 entry`, `2 entries`. */
export function entriesText(value: number): string {
  return `${countText(value)} ${Math.round(value) === 1 ? 'entry' : 'entries'}`;
}
