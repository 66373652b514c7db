import type { Ports } from '../../contracts/ports.ts';
import { readText } from '../machine.ts';
import { readStatus, type StatusView } from '../status-view.ts';
import { countText } from '../terminal.ts';
import { flowHead, flowLine } from './flow.ts';
import { type Sent, sendStory } from './sender.ts';
import type { Stage } from './stage.ts';
import { openStory, type Story } from './story.ts';
import { compareHoldings, type Finding, holdingOf, lookUpAcknowledged, lookUpGaps } from './verdict.ts';

const PRODUCERS = ['shop-1', 'backoffice-1'] as const;

/** How long the end may take: the destinations catch up, and the hole is declared. */
const CATCH_UP_MS = 30_000;

type DemoPorts = Pick<Ports, 'clock' | 'random' | 'http'>;

/** Plays the demo on its stage: load, a destination that is away, a lost event, `kill -9`, a restart; then reads everything back. */
export async function playDemo(
  stage: Stage,
  ports: DemoPorts,
  forMs: number,
  say: (line: string) => void,
  ended: AbortSignal,
): Promise<Finding[]> {
  const { clock } = ports;
  const story = openStory(ports.random);
  const sent: Sent = { acknowledged: new Map(), repeats: 0, duplicates: 0 };
  const stopping = new AbortController();
  // Whatever fails first ends everything else.
  const failing = new AbortController();
  const both = AbortSignal.any([ended, failing.signal]);
  await stage.start(both);
  say(flowHead());
  const target = { url: `${stage.api}/v1/events?source=app`, token: stage.producerToken };
  const parts = [
    ...PRODUCERS.map((producer) => sendStory(producer, story, target, sent, ports, stopping.signal, both)),
    printFlow(stage, ports, sent, say, stopping.signal),
    playScenes(stage, story, ports, sent, forMs, say, both).then(() => stopping.abort()),
  ];
  await Promise.all(parts).catch((error: unknown) => {
    failing.abort(error);
    stopping.abort();
    throw error;
  });
  say(
    `the load ends: ${countText(sent.acknowledged.size)} events acknowledged; ` +
      `requests sent again ${sent.repeats}, events answered as duplicates ${sent.duplicates}`,
  );
  await catchUp(stage, clock, both);
  const findings = await readBack(stage, sent, say);
  const repeats = await stage.receiver.text('/repeats');
  say(`  batches that lake was sent a second time after a lost answer, and dropped: ${repeats}`);
  const code = await stage.stop();
  return [...findings, { what: 'SIGTERM drains and ends the process with 0', found: String(code), good: code === 0 }];
}

async function playScenes(
  stage: Stage,
  story: Story,
  { clock }: DemoPorts,
  sent: Sent,
  forMs: number,
  say: (line: string) => void,
  ended: AbortSignal,
): Promise<void> {
  const start = clock.monotonic();
  const until = (part: number): Promise<void> => clock.sleep(Math.max(0, start + forMs * part - clock.monotonic()), ended);
  await until(0.2);
  const awayMs = Math.min(2_000, Math.round(forMs * 0.15));
  say(`  -- the receiver behind lake answers 503 for ${awayMs} ms: lake waits and retries in order, archive does not notice`);
  await stage.receiver.post(`/away?ms=${awayMs}`, {}).catch(() => {});
  await until(0.45);
  say(`  -- ${PRODUCERS[0]} loses an event before it is sent: its numbers have a hole, which must be declared`);
  story.loseOne(PRODUCERS[0]);
  await until(0.6);
  const before = countText(sent.acknowledged.size);
  say(`  -- kill -9 in mid-load, with ${before} events acknowledged; the senders keep what has no answer and send it again`);
  const killed = clock.monotonic();
  await stage.kill();
  await clock.sleep(400, ended);
  await stage.start(ended);
  const size = (await status(stage))?.ledger.durable ?? 0;
  say(`  -- started again, ${Math.round(clock.monotonic() - killed)} ms after the kill: ${countText(size)} entries are there`);
  // On a slow machine the start takes its time; the load goes on for a while after it all the same.
  await Promise.all([until(1), clock.sleep(forMs / 4, ended)]);
}

async function printFlow(
  stage: Stage,
  { clock }: DemoPorts,
  sent: Sent,
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
    const now = sent.acknowledged.size;
    say(flowLine(second, now - last, await status(stage)));
    last = now;
  }
}

async function status(stage: Stage): Promise<StatusView | null> {
  return stage.client.get('/v1/status').then(readStatus, () => null);
}

/** Waits until both destinations have everything, and the hole has been declared. */
async function catchUp(stage: Stage, clock: Ports['clock'], ended: AbortSignal): Promise<void> {
  const end = clock.monotonic() + CATCH_UP_MS;
  while (clock.monotonic() < end) {
    const view = await status(stage);
    const there = view !== null && Object.values(view.destinations).every(({ cursor }) => cursor === view.ledger.durable);
    if (there && lookUpGaps(await ledgerLines(stage), 1).good) return;
    await clock.sleep(200, ended);
  }
}

async function readBack(stage: Stage, sent: Sent, say: (line: string) => void): Promise<Finding[]> {
  const lines = await ledgerLines(stage);
  const archive = linesOf(readText(stage.file) ?? '');
  const lake = linesOf(await stage.receiver.text('/received'));
  const ledger = holdingOf('ledger', lines);
  const held = [holdingOf('archive (a file)', archive), holdingOf('lake (an HTTP receiver)', lake)];
  say('');
  for (const { place, count, sha256 } of [ledger, ...held])
    say(`  ${place.padEnd(26)}${countText(count).padStart(10)} entries  sha-256 ${sha256}`);
  return [...compareHoldings(ledger, held), lookUpAcknowledged(lines, sent.acknowledged), lookUpGaps(lines, 1)];
}

async function ledgerLines(stage: Stage): Promise<string[]> {
  const lines: string[] = [];
  for (;;) {
    const page = linesOf(await stage.client.text(`/v1/entries?from=${lines.length}&limit=1000`));
    if (page.length === 0) return lines;
    for (const line of page) lines.push(line);
  }
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}
