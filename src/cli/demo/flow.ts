import type { StatusView } from '../status-view.ts';
import { countText } from '../terminal.ts';
import type { Stage } from './stage.ts';

/** The head of the table that the demo prints, a line a second. */
export function flowHead({ places }: Pick<Stage, 'places'>): string {
  return ['second', 'acknowledged/s', 'ledger', ...places.map(({ name }) => name)]
    .map((title, column) => title.padStart(WIDTHS[column] ?? 0))
    .join('  ');
}

/** One line: what was acknowledged in the last second, the size of the ledger, and where each destination is. */
export function flowLine({ places }: Pick<Stage, 'places'>, second: number, acknowledged: number, status: StatusView | null): string {
  const cells = [
    String(second),
    countText(acknowledged),
    status === null ? 'gone' : countText(status.ledger.durable),
    ...places.map(({ name }) => (status === null ? '' : destinationCell(status.destinations[name]))),
  ];
  return cells
    .map((cell, column) => cell.padStart(WIDTHS[column] ?? 0))
    .join('  ')
    .trimEnd();
}

const WIDTHS: readonly number[] = [6, 14, 8, 20, 26, 26];

function destinationCell(destination: StatusView['destinations'][string] | undefined): string {
  if (destination === undefined) return '';
  const state = destination.state === 'running' ? '' : `, ${destination.state}`;
  return `${countText(destination.cursor)} (lag ${countText(destination.lag)}${state})`;
}
