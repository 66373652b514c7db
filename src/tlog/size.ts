/** The largest tree: sizes are exact numbers up to here, and nothing beyond is taken. */
export const TREE_SIZE_MAX: number = Number.MAX_SAFE_INTEGER;

/** A size or an index as ASCII decimal without a leading zero; `null` for anything else, and for what is larger than `TREE_SIZE_MAX`. */
export function parseSize(text: string): number | null {
  if (!DECIMAL.test(text)) return null;
  const size = Number(text);
  // Whatever is larger than the largest exact number is rounded to something that is not exact either.
  return Number.isSafeInteger(size) ? size : null;
}

const DECIMAL = /^(?:0|[1-9][0-9]{0,15})$/;
