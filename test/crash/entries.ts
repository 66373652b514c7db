import assert from 'node:assert/strict';

/** Every entry of the ledger as the API gives it, line by line. */
export async function allEntries(url: string): Promise<string[]> {
  const lines: string[] = [];
  for (;;) {
    const text = await (await fetch(`${url}/v1/entries?from=${lines.length}&limit=1000`)).text();
    const page = text.split('\n').filter((line) => line !== '');
    if (page.length === 0) return lines;
    lines.push(...page);
  }
}

/** The parts of the status that these tests look at. */
export async function status(
  url: string,
): Promise<{ ledger: { size: number }; destinations: Record<string, { state: string; cursor: number }> }> {
  return (await (await fetch(`${url}/v1/status`)).json()) as never;
}

/**
 * Every acknowledged event is there exactly once, indexes and the source's own count have no gap, and each lane's batches are in its
 * order.
 */
export function checkLedger(lines: readonly string[], acknowledged: readonly string[]): void {
  const placeOf = new Map<string, number>();
  let n = 0;
  for (const [at, line] of lines.entries()) {
    const { index, entry } = JSON.parse(line) as { index: number; entry: { source: string; n: number; id: string } };
    assert.equal(index, at);
    if (entry.source !== 'app') continue;
    assert.equal(entry.n, n, `the source's count at index ${at}`);
    n += 1;
    assert.ok(!placeOf.has(entry.id), `${entry.id} is in the ledger twice`);
    placeOf.set(entry.id, at);
  }
  const last = new Map<string, number>();
  for (const id of acknowledged) {
    const place = placeOf.get(id);
    assert.ok(place !== undefined, `${id} was acknowledged and is not in the ledger`);
    const lane = id.split('_')[1] ?? '';
    assert.ok(place > (last.get(lane) ?? -1), `${id} is out of its lane's order`);
    last.set(lane, place);
  }
}

/** Fails, without printing what is there, when two lists of lines differ: a difference of thousands of entries is no use to a reader. */
export function sameLines(actual: readonly string[], expected: readonly string[], what: string): void {
  const differs = expected.findIndex((line, at) => actual[at] !== line);
  assert.equal(differs, -1, `${what}: line ${differs} differs`);
  assert.equal(actual.length, expected.length, `${what}: the number of lines`);
}

/** The lines of a text that ends with a line break. */
export function linesOf(text: string): string[] {
  assert.ok(text === '' || text.endsWith('\n'), 'the last line is whole');
  return text.split('\n').slice(0, -1);
}
