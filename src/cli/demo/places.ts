import { type ApiClient, openClientAt } from '../client.ts';
import { childEnd, ownScript, type PipedChild, readText, spawnPiped } from '../machine.ts';

/** The far side of a destination: what it holds, and whether it can be broken. */
export interface Place {
  /** The name of its destination. */
  readonly name: string;
  /** What it is, for people. */
  readonly what: string;
  /** Everything that it holds, a line an entry, in its own order. */
  readonly lines: () => Promise<string[]>;
  /** Lets it refuse everything, or take again; `null` where nobody could. */
  readonly turn: ((to: 'broken' | 'whole') => Promise<void>) | null;
}

/** A place that is a process of its own. */
export interface PlaceProcess extends Place {
  /** Where deliveries go. */
  readonly url: string;
  /** How many batches came a second time after a lost answer, and were dropped. */
  repeats(): Promise<number>;
  close(): Promise<void>;
}

/** A file of lines. */
export function filePlace(name: string, path: string): Place {
  return { name, what: 'a file', lines: () => Promise.resolve(linesOf(readText(path) ?? '')), turn: null };
}

/** Starts a receiver of deliveries over HTTP, which takes `answerMs` for an answer. */
export async function openReceiver(name: string, what: string, answerMs: number): Promise<PlaceProcess> {
  const child = spawnPiped(ownScript('demo/receiver'), [String(answerMs)]);
  const base = `http://127.0.0.1:${await portOf(child)}`;
  const client: ApiClient = openClientAt(base, { token: null });
  return {
    name,
    what,
    url: `${base}/in`,
    lines: async () => linesOf(await client.text('/received')),
    turn: async (to) => void (await client.post(`/${to}`, {})),
    repeats: async () => Number(await client.text('/repeats')),
    async close() {
      const ending = childEnd(child);
      child.kill('SIGKILL');
      await ending;
    },
  };
}

/** The lines of a text, without those that are empty. */
export function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

async function portOf(child: PipedChild): Promise<number> {
  for await (const chunk of child.stdout) {
    const { port } = JSON.parse(String(chunk)) as { readonly port: number };
    // The pipe is not read to its end, and must not keep the demo waiting.
    return port;
  }
  throw new Error('the receiver of the demo did not start');
}
