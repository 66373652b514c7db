/** The strings of well-formed JSON text. */
export const STRINGS = /"(?:[^"\\]|\\.)*"/gs;

/** True when `JSON.parse` takes the text. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * The value of well-formed JSON text, with every string written as hexadecimal of its UTF-16. Equal values stay equal and others differ,
 * and no name has an escape or a meaning of its own: `JSON.parse` of some engines misreads names with escapes
 * (https://github.com/nodejs/node/issues/63785), which this fuzzer found as well.
 */
export function plainValue(text: string): unknown {
  return JSON.parse(text.replaceAll(STRINGS, (string) => `"${inHex(JSON.parse(string) as string)}"`));
}

/** A string as `plainValue` writes it. The prefix keeps names from being ordered as numbers. */
export function inHex(value: string): string {
  return `x${Buffer.from(value, 'utf16le').toString('hex')}`;
}
