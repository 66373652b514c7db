import { Webhook } from 'standardwebhooks';
import type { Held } from './batches.ts';
import type { ReadRequest } from './http-receiver.ts';

/** Reads messages of Standard Webhooks with the reference library, which knows one secret and refuses every other signature. */
export function readWebhook(secret: string): ReadRequest {
  const known = new Webhook(secret);
  return (headers, body) => {
    const named = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
    known.verify(body, named);
    const message = JSON.parse(body) as {
      readonly type?: string;
      readonly checkpoint?: string;
      readonly data?: { readonly checkpoint: string };
    };
    if (message.type === 'waybill.checkpoint')
      return { id: String(headers['webhook-id']), held: [], checkpoint: message.data?.checkpoint ?? null };
    return { id: String(headers['webhook-id']), held: heldInMessage(body), checkpoint: message.checkpoint ?? null };
  };
}

/** The entries of a message, each with the very bytes that it had there. */
export function heldInMessage(message: string): readonly Held[] {
  const { count, entries } = JSON.parse(message) as { readonly count: number; readonly entries: readonly Pick<Held, 'index'>[] };
  if (count !== entries.length) throw new Error(`the message says ${count} and has ${entries.length} entries`);
  const texts = elementsOf(message.slice(message.indexOf('"entries":[') + '"entries":['.length));
  return texts.map((text, k) => {
    const index = entries[k]?.index;
    const head = `{"index":${index},"entry":`;
    if (index === undefined || !text.startsWith(head)) throw new Error(`not an element of a message: ${text.slice(0, 100)}`);
    return { index, entry: text.slice(head.length, -1) };
  });
}

/** The elements of a JSON array that is open, as they stand there, and nothing of what follows it. */
function elementsOf(text: string): readonly string[] {
  const elements: string[] = [];
  let start = 0;
  let depth = 0;
  for (const match of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]|,/g)) {
    if (match[0] === '{' || match[0] === '[') depth += 1;
    else if ((match[0] === '}' || match[0] === ']') && depth > 0) depth -= 1;
    else if (match[0] === ']') return match.index === 0 ? [] : [...elements, text.slice(start, match.index)];
    else if (match[0] === ',' && depth === 0) {
      elements.push(text.slice(start, match.index));
      start = match.index + 1;
    }
  }
  throw new Error('the array does not end');
}
