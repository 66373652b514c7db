import type { Ports } from '../../contracts/ports.ts';
import { readConsoleFiles } from '../console-files.ts';
import type { Terminal } from '../terminal.ts';
import { createDirector, type Director } from './director.ts';
import { startLoad } from './load.ts';
import { readQuestion } from './question.ts';
import type { Pace } from './sender.ts';
import { openStage } from './stage.ts';

/** What showing the page needs. */
export interface ShowParts {
  readonly ports: Pick<Ports, 'clock' | 'random' | 'http'>;
  readonly terminal: Terminal;
  /** How long the guided minute lasts. */
  readonly lastsMs: number;
  readonly keep: boolean;
  /** Ends when the person at the terminal has seen enough. */
  readonly ended: AbortSignal;
}

/** Somebody reads along. */
const PACE: Pace = { eventsMax: 5, pauseMs: 160 };
/** The applications end after this time: what they were told is kept in memory, to be compared. */
const LOAD_MS_MAX = 3_600_000;

/** Runs the demo with its page until it is ended. Resolves with whether everything that was compared agreed. */
export async function showPage({ ports, terminal, lastsMs, keep, ended }: ShowParts): Promise<boolean> {
  const { clock } = ports;
  let director: Director | null = null;
  const notYet = { ok: false, code: 'COMMAND_REFUSED', message: 'the demo is still starting' } as const;
  const token = (): string => Buffer.from(ports.random.bytes(24)).toString('hex');
  const stage = await openStage(clock, token, async (question) => director?.answer(readQuestion(question)) ?? notYet);
  const started = clock.monotonic();
  const say = (line: string): void => terminal.out(`${secondsSince(started, clock.monotonic())}  ${line}`);
  let good = false;
  try {
    await stage.start(ended);
    const load = startLoad(stage, PACE, ports, ended);
    director = createDirector({ stage, load, clock, lastsMs, say, ended });
    if (readConsoleFiles().length === 0) terminal.err('the page was not built: run `npm run build:console`, then start this again');
    terminal.out(`\n  ${stage.api}/#token=${stage.operatorToken}\n`);
    terminal.out('Open this address in a browser. It is yours only: it carries the token of an operator. Ctrl-C ends everything.\n');
    const late = clock.sleep(LOAD_MS_MAX, ended).then(() => {
      say('the applications have sent for an hour and end now');
      return load.end();
    });
    await Promise.race([load.going.then(() => untilEnded(ended)), late.then(() => untilEnded(ended)), untilEnded(ended)]);
    good = director.good();
    await stage.stop();
  } catch (error) {
    // What was under way when the person had seen enough fails, and that is no fault.
    if (ended.aborted) good = director?.good() ?? true;
    else terminal.err(`the demo failed: ${error instanceof Error ? error.message : String(error)}\n${stage.logTail()}`);
  } finally {
    await stage.close(keep || !good);
  }
  if (keep || !good) terminal.out(`everything is kept in ${stage.directory}`);
  return good;
}

function untilEnded(ended: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (ended.aborted) resolve();
    else ended.addEventListener('abort', () => resolve(), { once: true });
  });
}

function secondsSince(started: number, now: number): string {
  const seconds = Math.floor((now - started) / 1_000);
  return `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`;
}
