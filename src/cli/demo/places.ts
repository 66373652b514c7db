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

/** Starts a place by its script, and gives it its order. */
export async function openPlace(name: string, what: string, script: string, order: object): Promise<PlaceProcess> {
  const child = spawnPiped(ownScript(script), []);
  child.stdin.write(`${JSON.stringify(order)}\n`);
  const { url, control } = await whereOf(child);
  const client: ApiClient = openClientAt(control, { token: null });
  return {
    name,
    what,
    url,
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

async function whereOf(child: PipedChild): Promise<{ readonly url: string; readonly control: string }> {
  for await (const chunk of child.stdout) {
    // The pipe is not read to its end, and must not keep the demo waiting.
    return JSON.parse(String(chunk)) as { readonly url: string; readonly control: string };
  }
  throw new Error('a place of the demo did not start');
}
