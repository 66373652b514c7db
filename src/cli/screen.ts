import { readEnvironment } from '../runtime/environment.ts';

/** A whole terminal, for a picture that is drawn again and again. */
export interface Screen {
  columns(): number;
  /** Whether colours are wanted (`NO_COLOR`, https://no-color.org). */
  readonly colour: boolean;
  /** Draws over what is there, in one write and without clearing first, so that nothing flickers. What is too long is cut. */
  draw(lines: readonly string[]): void;
  /** Gives the terminal back as it was. */
  close(): void;
}

/** Who is told of keys and of another size. */
export interface ScreenCallbacks {
  /** `q`, or Ctrl-C. */
  readonly quit: () => void;
  readonly resized: () => void;
}

const CTRL_C = '\u0003';
/** The alternate screen, without a cursor; and back. */
const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';

/** The size of a terminal that does not tell it. */
const COLUMNS = 80;
const ROWS = 24;

/** Whether standard output is a terminal. */
export function isTerminal(): boolean {
  return process.stdout.isTTY;
}

/** Takes the terminal of standard output. It must be one. */
export function openScreen({ quit, resized }: ScreenCallbacks): Screen {
  const { stdin, stdout } = process;
  const { NO_COLOR: noColour = '', TERM: term = '' } = readEnvironment();
  const onKey = (keys: Buffer): void => {
    const text = keys.toString('latin1');
    if (text.includes('q') || text.includes(CTRL_C)) quit();
  };
  stdout.write(ENTER);
  stdout.on('resize', resized);
  if (stdin.isTTY) {
    stdin.setRawMode(true);
    stdin.on('data', onKey);
    stdin.resume();
  }
  return {
    columns: () => (stdout.columns > 0 ? stdout.columns : COLUMNS),
    colour: noColour === '' && term !== 'dumb',
    draw(lines) {
      const rows = stdout.rows > 1 ? stdout.rows : ROWS;
      const shown = lines.length <= rows ? lines : [...lines.slice(0, rows - 1), `… ${lines.length - rows + 1} more lines`];
      stdout.write(`\u001b[H${shown.map((line) => `${line}\u001b[K`).join('\r\n')}\u001b[J`);
    },
    close() {
      stdout.off('resize', resized);
      if (stdin.isTTY) {
        stdin.off('data', onKey);
        stdin.setRawMode(false);
        stdin.pause();
      }
      stdout.write(LEAVE);
    },
  };
}
