import { once } from 'node:events';

/** Where a command writes. Standard output carries the answer, standard error everything else. */
export interface Terminal {
  /** Writes a line of the answer. */
  out(line: string): void;
  /** Writes a line for the person who waits: progress, warnings, mistakes. */
  err(line: string): void;
  /** Resolves once the reader has taken what was written so far: whoever writes much waits for it. */
  drained(): Promise<void>;
}

/** The streams of this process. A reader that has gone away (`waybill tap | head`) ends the process quietly. */
export function openTerminal(): Terminal {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // A destination that writes here hears of it too, and the others go on.
    if (process.stdout.listenerCount('error') > 1) return;
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  return {
    out: (line) => void process.stdout.write(`${line}\n`),
    err: (line) => void process.stderr.write(`${line}\n`),
    async drained() {
      if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain');
    },
  };
}

/** Lines of a table, its columns as wide as their widest cell. Columns named in `right` are aligned to the right. */
export function tableLines(head: readonly string[], rows: readonly (readonly string[])[], right: readonly string[] = []): string[] {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (right.includes(head[column] ?? '') ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(head), ...rows.map(line)];
}

/** A count with separators, for people: `1,234,567`. */
export function countText(count: number): string {
  return count.toLocaleString('en-US');
}

/** Foreign text with its control characters made visible: none of them reaches a terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}
