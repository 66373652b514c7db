import { createInterface } from 'node:readline';

/**
 * What the demo wants of a process that it started: one line of JSON on standard input, where nobody else reads it. The demo holds the
 * other end of that pipe: when it is gone, whatever way, nobody needs this process any more, and it ends.
 */
export function readOrder(): Promise<unknown> {
  return new Promise((resolve) => {
    const lines = createInterface({ input: process.stdin });
    lines.once('line', (line) => resolve(JSON.parse(line)));
    lines.on('close', () => process.exit(0));
    process.stdin.on('error', () => process.exit(0));
  });
}

/** Tells the demo where this process is to be found. */
export function tellWhere(where: Readonly<Record<string, string>>): void {
  process.stdout.write(`${JSON.stringify(where)}\n`);
}
