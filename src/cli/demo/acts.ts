import type { Clock } from '../../contracts/ports.ts';
import { countText } from '../terminal.ts';
import type { Load } from './load.ts';
import type { VerdictView } from './question.ts';
import { catchUp, type ReadBack, readBack } from './readback.ts';
import type { Stage } from './stage.ts';

/** What acting on the stage needs. */
export interface ActParts {
  readonly stage: Stage;
  readonly load: Load;
  readonly clock: Clock;
  /** Prints a line for whoever sits at the terminal. */
  readonly say: (line: string) => void;
  readonly ended: AbortSignal;
}

/** What can be done on the stage. */
export interface Acts {
  /** The names of the destinations that are broken. */
  readonly broken: ReadonlySet<string>;
  readonly turn: (destination: string, to: 'broken' | 'whole') => Promise<void>;
  /** `kill -9`, and a new start. Resolves with how long it took until events were accepted again. */
  readonly killAndStart: () => Promise<number>;
  /** Lets the applications pause, waits until everything has arrived, reads everything back and compares it. */
  readonly compare: () => Promise<VerdictView>;
}

/** Long enough to be seen. */
const DEAD_MS = 900;

/** Makes what can be done. */
export function createActs({ stage, load, clock, say, ended }: ActParts): Acts {
  const broken = new Set<string>();
  return {
    broken,
    async turn(name, to) {
      await stage.places.find((place) => place.name === name)?.turn?.(to);
      if (to === 'broken') broken.add(name);
      else broken.delete(name);
      say(to === 'broken' ? `${name} is broken: it answers 503` : `${name} is repaired`);
    },
    async killAndStart() {
      const killed = clock.monotonic();
      say(`kill -9, with ${countText(load.sent.acknowledged.size)} events acknowledged`);
      await stage.kill();
      await clock.sleep(DEAD_MS, ended);
      await stage.start(ended);
      const ms = clock.monotonic() - killed;
      say(`started again, ${Math.round(ms)} ms after the kill`);
      return ms;
    },
    async compare() {
      await load.hold();
      try {
        await catchUp(stage, load, clock, ended);
        const verdict = verdictOf(await readBack(stage, load));
        say(verdictText(verdict));
        for (const { what, found, good } of verdict.findings) say(`  ${good ? 'ok    ' : 'FAILED'}  ${what}: ${found}`);
        return verdict;
      } finally {
        load.release();
      }
    },
  };
}

/** A verdict in one sentence. */
export function verdictText({ agree, entries, places }: VerdictView): string {
  const sum = (pick: (place: VerdictView['places'][number]) => number): string =>
    countText(places.reduce((all, place) => all + pick(place), 0));
  const gone = `${sum(({ lost }) => lost)} lost, ${sum(({ repeated }) => repeated)} repeated`;
  const counts = `${gone}, ${sum((place) => place.out_of_order)} out of order`;
  return `${countText(entries)} entries at each of ${places.length} places: ${counts}${agree ? '.' : ': they do not agree.'}`;
}

function verdictOf({ ledger, held, findings }: ReadBack): VerdictView {
  return {
    agree: findings.every(({ good }) => good),
    entries: ledger.count,
    places: held.map(({ name, count, lost, repeated, outOfOrder, changed }) => ({
      name,
      entries: count,
      lost,
      repeated,
      out_of_order: outOfOrder,
      changed,
    })),
    findings,
  };
}
