import { durationText, sizeText } from '../contracts/quantities.ts';
import type { StatusView } from './status-view.ts';
import { countText, printable } from './terminal.ts';

/** What one picture of `status --watch` is made of. */
export interface WatchFrame {
  readonly status: StatusView;
  /** The status before, and how many milliseconds ago it was; `null` for the first picture. */
  readonly before: { readonly status: StatusView; readonly ms: number } | null;
  /** Now, in milliseconds since 1970. */
  readonly now: number;
  readonly columns: number;
  readonly colour: boolean;
}

type DestinationView = StatusView['destinations'][string];

const WIDTH_MIN = 40;
const WIDTH_MAX = 200;
/** More lines of one message hide the other destinations. */
const MESSAGE_LINES = 3;

/** The flow from sources to destinations, each line no wider than the terminal. Pure: the same frame gives the same lines. */
export function watchLines(frame: WatchFrame): string[] {
  const width = Math.max(WIDTH_MIN, Math.min(WIDTH_MAX, frame.columns));
  const { sources, destinations } = frame.status;
  return [
    ...ledgerLines(frame, width),
    '',
    'SOURCES',
    ...(Object.keys(sources).length === 0
      ? ['  none']
      : Object.entries(sources).map(([name, view]) => sourceLine(name, view, frame, width))),
    '',
    'DESTINATIONS',
    ...(Object.keys(destinations).length === 0
      ? ['  none']
      : Object.entries(destinations).flatMap(([name, view]) => destinationLines(name, view, frame, width))),
  ];
}

function ledgerLines({ status: { ledger, reload }, before, colour }: WatchFrame, width: number): string[] {
  const rate = rateText(ledger.durable, before?.status.ledger.durable, before?.ms);
  const facts = [`${countText(ledger.durable)} entries`, rate, ledger.bytes ? sizeText(ledger.bytes.used) : ''];
  const days = ledger.days_left;
  if (typeof days === 'number') facts.push(`space for ${countText(Math.floor(days))} days`);
  return [
    cut(`LEDGER ${ledger.origin}`, width),
    cut(`  ${facts.filter((fact) => fact !== '').join('   ')}`, width),
    ...(ledger.damage ? wrapped(`DAMAGE: ${ledger.damage}`, width, '  ').map((line) => painted(line, 'red', colour)) : []),
    ...(reload?.error
      ? wrapped(`the changed configuration is not at work: ${reload.error.code}: ${reload.error.message}`, width, '  ')
      : []),
  ];
}

function sourceLine(name: string, view: StatusView['sources'][string], { status, before }: WatchFrame, width: number): string {
  const earlier = before?.status.sources[name];
  const names = columnOf(Object.keys(status.sources));
  const facts = [
    countText(numberOf(view, 'entries') ?? 0).padStart(13),
    rateText(numberOf(view, 'entries') ?? 0, earlier === undefined ? undefined : numberOf(earlier, 'entries'), before?.ms).padStart(10),
    countedText(numberOf(view, 'duplicates'), 'duplicates'),
    countedText(numberOf(view, 'rejected'), 'refused'),
  ];
  return cut(`  ${name.padEnd(names)}  ${facts.join('  ')}`.trimEnd(), width);
}

function destinationLines(name: string, view: DestinationView, frame: WatchFrame, width: number): string[] {
  const { status, before, colour, now } = frame;
  const earlier = before?.status.destinations[name];
  const start = `  ${name.padEnd(columnOf(Object.keys(status.destinations)))}  `;
  const facts = [lagText(view, earlier), rateText(view.cursor, earlier?.cursor, before?.ms)];
  const line = cut(`${start}${view.state.padEnd(8)}  ${facts.filter((fact) => fact !== '').join('   ')}`.trimEnd(), width);
  const notes = [...headNotes(view, now), ...sideNotes(view)];
  return [
    // The word is painted where it stands, and only if all of it is there.
    line.startsWith(start + view.state)
      ? start + painted(view.state, COLOURS[view.state], colour) + line.slice(start.length + view.state.length)
      : line,
    ...notes.flatMap((note) => wrapped(note, width, '    ')),
    ...(view.error ? wrapped(`${view.error.code}: ${view.error.message}`, width, '    ') : []),
    ...(view.error ? wrapped(`→ ${view.error.action}`, width, '    ') : []),
  ];
}

function headNotes({ head, state, next_retry_at: retryAt }: DestinationView, now: number): string[] {
  if (!head || state === 'running') return [];
  const range =
    head.from === head.through ? `entry ${countText(head.from)}` : `entries ${countText(head.from)} to ${countText(head.through)}`;
  const doubt = head.in_doubt ? ', may be there already' : '';
  const next =
    typeof retryAt === 'number' && retryAt > now ? `, next attempt in ${durationText(Math.ceil((retryAt - now) / 100) * 100)}` : '';
  return [`everything waits for ${range}: ${countText(head.attempts)} attempts${doubt}${next}`];
}

function sideNotes({ side }: DestinationView): string[] {
  if (!side) return [];
  const all = side.through - side.from + 1;
  return [`${side.name}: ${countText(side.cursor - side.from)} of ${countText(all)} entries sent again`];
}

function lagText({ lag }: DestinationView, earlier: DestinationView | undefined): string {
  if (lag === 0) return 'has everything';
  const trend = earlier === undefined || earlier.lag === lag ? '' : earlier.lag < lag ? ', growing' : ', shrinking';
  return `${countText(lag)} behind${trend}`;
}

const COLOURS: Readonly<Record<string, Colour>> = { running: 'green', waiting: 'yellow', paused: 'yellow', halted: 'red', detached: 'red' };

type Colour = 'green' | 'yellow' | 'red';
const CODES: Readonly<Record<Colour, number>> = { red: 31, green: 32, yellow: 33 };

function painted(text: string, colour: Colour | undefined, allowed: boolean): string {
  return allowed && colour !== undefined ? `\u001b[${CODES[colour]}m${text}\u001b[0m` : text;
}

function rateText(now: number, before: number | undefined, ms: number | undefined): string {
  if (before === undefined || ms === undefined || ms <= 0) return '';
  return `${countText(Math.max(0, Math.round(((now - before) / ms) * 1_000)))}/s`;
}

function countedText(count: number | undefined, word: string): string {
  return count === undefined || count === 0 ? '' : `${countText(count)} ${word}`;
}

function numberOf(view: Readonly<Record<string, unknown>>, key: string): number | undefined {
  const value = view[key];
  return typeof value === 'number' ? value : undefined;
}

function columnOf(names: readonly string[]): number {
  return Math.min(24, Math.max(...names.map((name) => name.length)));
}

function cut(text: string, width: number): string {
  const safe = printable(text);
  return safe.length <= width ? safe : `${safe.slice(0, width - 1)}…`;
}

/** Text in lines between words, each as far to the right as `indent`; what does not fit into a few lines is cut. */
function wrapped(text: string, width: number, indent: string): string[] {
  const lines: string[] = [];
  let line = indent;
  for (const word of printable(text).split(/\s+/)) {
    if (line.length > indent.length && line.length + word.length + 1 > width) {
      lines.push(line);
      line = indent;
    }
    line += line.length > indent.length ? ` ${word}` : word;
  }
  lines.push(line);
  const kept = lines.slice(0, MESSAGE_LINES).map((one) => cut(one, width));
  const last = kept.at(-1);
  if (lines.length > MESSAGE_LINES && last !== undefined) kept[MESSAGE_LINES - 1] = cut(`${last.slice(0, width - 2)} …`, width);
  return kept;
}
