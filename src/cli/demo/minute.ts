import type { Clock } from '../../contracts/ports.ts';
import type { StatusView } from '../status-view.ts';
import { countText } from '../terminal.ts';
import type { Load } from './load.ts';
import { statusOf } from './readback.ts';
import type { Stage } from './stage.ts';

/** What the steps of the guided minute work with. */
export interface MinuteParts {
  readonly stage: Stage;
  readonly load: Load;
  readonly clock: Clock;
  /** How long the whole is meant to last. */
  readonly lastsMs: number;
  readonly ended: AbortSignal;
  readonly turn: (destination: string, to: 'broken' | 'whole') => Promise<void>;
  /** `kill -9`, and a new start. Resolves with how long it took until events were accepted again. */
  readonly killAndStart: () => Promise<number>;
  /** Compares everything, and says what was found. Rejects when something does not agree. */
  readonly compare: () => Promise<string>;
}

/** One step: what it is about, and what it does; it resolves with what came of it. */
export interface Step {
  readonly title: string;
  readonly about: string;
  readonly play: (parts: MinuteParts) => Promise<string>;
}

/** The destination that the minute breaks. */
const BROKEN = 'hook';

/** The guided minute. */
export const MINUTE: readonly Step[] = [
  {
    title: 'Events flow',
    about: 'Three applications send. Each answer comes after the fsync; every destination follows in the same order.',
    async play({ stage, clock, lastsMs, ended }) {
      const before = await durable(stage);
      await clock.sleep(lastsMs * 0.1, ended);
      return `${countText((await durable(stage)) - before)} more entries are durable, and on their way to three places.`;
    },
  },
  {
    title: `${BROKEN} breaks`,
    about: `The receiver behind ${BROKEN} answers 503 to everything.`,
    async play({ turn, stage, clock, ended }) {
      await turn(BROKEN, 'broken');
      const view = await until(stage, clock, ended, (status) => destination(status, BROKEN).state === 'waiting');
      return `Its batch from ${countText(destination(view, BROKEN).cursor)} waits. Nothing overtakes it.`;
    },
  },
  {
    title: 'The others go on',
    about: 'The queue of one destination is disk, and nobody else notices.',
    async play({ stage, clock, lastsMs, ended }) {
      await clock.sleep(lastsMs * 0.3, ended);
      const view = await until(stage, clock, ended, () => true);
      const rest = Object.entries(view.destinations).filter(([name]) => name !== BROKEN);
      const behind = Math.max(...rest.map(([, { lag }]) => lag));
      return `${BROKEN} is ${countText(destination(view, BROKEN).lag)} entries behind, the others at most ${countText(behind)}.`;
    },
  },
  {
    title: `${BROKEN} is repaired`,
    about: `It takes deliveries again. ${BROKEN} goes on where it stopped.`,
    async play({ turn, stage, clock, ended }) {
      const { cursor } = destination(await until(stage, clock, ended, () => true), BROKEN);
      await turn(BROKEN, 'whole');
      await until(stage, clock, ended, (status) => destination(status, BROKEN).cursor > cursor);
      return `The batch that waited was taken first, from ${countText(cursor)}.`;
    },
  },
  {
    title: 'It catches up',
    about: 'In order, at its own pace, without slowing anybody down.',
    async play({ stage, clock, ended }) {
      const began = clock.monotonic();
      const goal = await durable(stage);
      await until(stage, clock, ended, (status) => destination(status, BROKEN).cursor >= goal);
      const seconds = ((clock.monotonic() - began) / 1_000).toFixed(1);
      return `Everything up to ${countText(goal)} is there after ${seconds} s.`;
    },
  },
  {
    title: 'kill -9',
    about: 'The process dies in mid-load, and an application loses an event. The applications keep what has no answer.',
    async play({ load, clock, lastsMs, stage, killAndStart, ended }) {
      load.loseOne('shop');
      await clock.sleep(lastsMs * 0.05, ended);
      const ms = await killAndStart();
      await clock.sleep(lastsMs * 0.1, ended);
      return `Accepting again after ${countText(Math.round(ms))} ms, with ${countText(await durable(stage))} entries.`;
    },
  },
  {
    title: 'Everything is compared',
    about: 'Every destination is read back, and compared with the ledger byte for byte.',
    play: ({ compare }) => compare(),
  },
];

async function durable(stage: Stage): Promise<number> {
  return (await statusOf(stage))?.ledger.durable ?? 0;
}

function destination({ destinations }: StatusView, name: string): StatusView['destinations'][string] {
  const found = destinations[name];
  if (found === undefined) throw new Error(`the demo has no destination ${name}`);
  return found;
}

const LOOK_MS = 50;
const UNTIL_MS = 60_000;

/** Waits for what the status must show; a step that waits in vain fails, and says so. */
async function until(stage: Stage, clock: Clock, ended: AbortSignal, holds: (status: StatusView) => boolean): Promise<StatusView> {
  const end = clock.monotonic() + UNTIL_MS;
  for (;;) {
    const status = await statusOf(stage);
    if (status !== null && holds(status)) return status;
    if (clock.monotonic() > end) throw new Error('what this step shows did not happen within a minute');
    await clock.sleep(LOOK_MS, ended);
  }
}
