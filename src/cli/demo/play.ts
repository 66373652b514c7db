import type { Ports } from '../../contracts/ports.ts';
import { countText } from '../terminal.ts';
import { flowHead, flowLine } from './flow.ts';
import { type Load, startLoad } from './load.ts';
import { catchUp, readBack, statusOf } from './readback.ts';
import type { Pace } from './sender.ts';
import type { Stage } from './stage.ts';
import type { Finding } from './verdict.ts';

type DemoPorts = Pick<Ports, 'clock' | 'random' | 'http'>;

/** Nobody has to read along, so a lot may happen. */
const PACE: Pace = { eventsMax: 20, pauseMs: 70 };

/** Plays the demo on its stage: load, a destination that is away, a lost event, `kill -9`, a restart; then reads everything back. */
export async function playDemo(
  stage: Stage,
  ports: DemoPorts,
  forMs: number,
  say: (line: string) => void,
  ended: AbortSignal,
): Promise<Finding[]> {
  const { clock } = ports;
  // Whatever fails first ends everything else.
  const failing = new AbortController();
  const both = AbortSignal.any([ended, failing.signal]);
  await stage.start(both);
  say(flowHead(stage));
  const load = startLoad(stage, PACE, ports, both);
  const printing = new AbortController();
  const scenes = playScenes(stage, load, ports, forMs, say, both).finally(() => printing.abort());
  try {
    await Promise.all([Promise.race([scenes, load.going.then(() => scenes)]), printFlow(stage, load, ports, say, printing.signal)]);
    await load.end();
  } catch (error) {
    failing.abort(error);
    printing.abort();
    await Promise.allSettled([scenes, load.going]);
    throw error;
  }
  const { acknowledged, repeats, duplicates } = load.sent;
  say(
    `the load ends: ${countText(acknowledged.size)} events acknowledged; ` +
      `requests sent again ${repeats}, events answered as duplicates ${duplicates}`,
  );
  await catchUp(stage, load, clock, both);
  const { ledger, held, findings } = await readBack(stage, load);
  say('');
  for (const { place, count, sha256 } of [ledger, ...held])
    say(`  ${place.padEnd(28)}${countText(count).padStart(10)} entries  sha-256 ${sha256}`);
  say(`  batches that were sent a second time after a lost answer, and dropped there: ${await stage.repeats()}`);
  const code = await stage.stop();
  return [...findings, { what: 'SIGTERM drains and ends the process with 0', found: String(code), good: code === 0 }];
}

async function playScenes(
  stage: Stage,
  load: Load,
  { clock }: DemoPorts,
  forMs: number,
  say: (line: string) => void,
  ended: AbortSignal,
): Promise<void> {
  const start = clock.monotonic();
  const until = (part: number): Promise<void> => clock.sleep(Math.max(0, start + forMs * part - clock.monotonic()), ended);
  const hook = stage.places.find(({ turn }) => turn !== null);
  await until(0.2);
  const awayMs = Math.min(2_000, Math.round(forMs * 0.15));
  say(`  -- the receiver behind hook answers 503 for ${awayMs} ms: hook waits and retries in order, the others do not notice`);
  await hook?.turn?.('broken');
  await clock.sleep(awayMs, ended);
  await hook?.turn?.('whole');
  await until(0.45);
  say('  -- shop loses an event before it is sent: its numbers have a hole, which must be declared');
  load.loseOne('shop');
  await until(0.6);
  const before = countText(load.sent.acknowledged.size);
  say(`  -- kill -9 in mid-load, with ${before} events acknowledged; the senders keep what has no answer and send it again`);
  const killed = clock.monotonic();
  await stage.kill();
  await clock.sleep(400, ended);
  await stage.start(ended);
  const size = (await statusOf(stage))?.ledger.durable ?? 0;
  say(`  -- started again, ${Math.round(clock.monotonic() - killed)} ms after the kill: ${countText(size)} entries are there`);
  // On a slow machine the start takes its time; the load goes on for a while after it all the same.
  await Promise.all([until(1), clock.sleep(forMs / 4, ended)]);
}

async function printFlow(
  stage: Stage,
  load: Load,
  { clock }: DemoPorts,
  say: (line: string) => void,
  stopping: AbortSignal,
): Promise<void> {
  let last = 0;
  for (let second = 1; ; second += 1) {
    try {
      await clock.sleep(1_000, stopping);
    } catch {
      return;
    }
    const now = load.sent.acknowledged.size;
    say(flowLine(stage, second, now - last, await statusOf(stage)));
    last = now;
  }
}
