/** A batch as it arrives in a webhook. */
export interface HookBatch {
  readonly from: number;
  readonly through: number;
  /** The items of `entries` as they came, byte for byte: what JSON makes of a number or an escape must not come between. */
  readonly lines: readonly string[];
}

/** Whether a message brings a checkpoint by itself and no batch. */
export function isCheckpoint(body: string): boolean {
  return body.startsWith('{"type":"waybill.checkpoint",');
}

/** Reads the body of a delivery. Throws `SyntaxError` for what is none. */
export function readHookBody(body: string): HookBatch {
  const { from, through, count } = JSON.parse(body) as { readonly from: unknown; readonly through: unknown; readonly count: unknown };
  if (typeof from !== 'number' || typeof through !== 'number' || through < from) throw new SyntaxError('the batch has no range');
  const lines = itemsOf(body, body.indexOf('"entries":[') + '"entries":['.length);
  if (lines.length !== count) throw new SyntaxError('the batch has another number of entries than it says');
  return { from, through, lines };
}

/** The objects of an array whose text begins at `start`. */
function itemsOf(text: string, start: number): string[] {
  const items: string[] = [];
  let depth = 0;
  let begin = start;
  for (let at = start; at < text.length; at += 1) {
    const character = text[at];
    if (character === '"') at = endOfString(text, at);
    else if (character === '{' || character === '[') {
      if (depth === 0) begin = at;
      depth += 1;
    } else if (character === '}' || character === ']') {
      if (depth === 0) break;
      depth -= 1;
      if (depth === 0) items.push(text.slice(begin, at + 1));
    }
  }
  return items;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}
