/** One line of the table: what was measured, the figure, and what the design asks for. */
export interface Row {
  readonly row: string;
  readonly what: string;
  readonly figure: string;
  readonly budget: string;
  /** `null` where the design names no bound. */
  readonly met: boolean | null;
}

/** The table as Markdown. */
export function printTable(rows: readonly Row[]): string {
  const cells = rows.map(({ row, what, figure, budget, met }) => [row, what, figure, budget, met === null ? '' : met ? 'yes' : '**no**']);
  return ['| row | what | figure | budget | met |', '|---|---|---|---|---|', ...cells.map((line) => `| ${line.join(' | ')} |`)].join('\n');
}

/** A count with thousands separated. */
export function number(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** The middle one of a list of figures. */
export function median(list: readonly number[]): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}
