const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

const VALUES: readonly number[] = Array.from({ length: 128 }, (_, code) => ALPHABET.indexOf(String.fromCharCode(code)));

/** The bytes in base64 with padding, RFC 4648 section 4. */
export function encodeBase64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at;
    const group = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    text += ALPHABET.charAt(group >> 18) + ALPHABET.charAt((group >> 12) & 63);
    text += left > 1 ? ALPHABET.charAt((group >> 6) & 63) : '=';
    text += left > 2 ? ALPHABET.charAt(group & 63) : '=';
  }
  return text;
}

/**
 * The bytes that this base64 stands for, RFC 4648 section 4; `null` unless it is the one text that stands for them. Another alphabet,
 * missing padding, a space, and bits that are not used but set are all refused: otherwise two texts would pass for the same signature.
 */
export function decodeBase64(text: string): Uint8Array | null {
  if (text.length % 4 !== 0) return null;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  for (let at = 0, out = 0; at < text.length; at += 4, out += 3) {
    const missing = at + 4 === text.length ? padding : 0;
    let group = 0;
    for (let k = 0; k < 4; k += 1) {
      const value = k < 4 - missing ? (VALUES[text.charCodeAt(at + k)] ?? -1) : 0;
      if (value < 0) return null;
      group = (group << 6) | value;
    }
    if ((missing === 1 && (group & 0xff) !== 0) || (missing === 2 && (group & 0xffff) !== 0)) return null;
    // What lies beyond the end of the array is not stored.
    bytes[out] = group >> 16;
    bytes[out + 1] = (group >> 8) & 0xff;
    bytes[out + 2] = group & 0xff;
  }
  return bytes;
}
