import type { Ports } from '../../contracts/ports.ts';
import type { Story, StoryEvent } from './story.ts';

/** What the senders have done so far. */
export interface Sent {
  /** Events that were acknowledged, by identity: the text that was sent. */
  readonly acknowledged: Map<string, string>;
  /** How many requests had to be sent again because no good answer came. */
  repeats: number;
  /** How many events were answered as duplicates: they were in the ledger already. */
  duplicates: number;
}

/** Where the senders send, and how they prove who they are. */
export interface SendTarget {
  readonly url: string;
  readonly token: string;
}

/** How fast a sender sends. */
export interface Pace {
  /** The most events in a request. */
  readonly eventsMax: number;
  /** How long it waits between two requests. */
  readonly pauseMs: number;
}

/** One sender. */
export interface Sender {
  readonly producer: string;
  readonly story: Story;
  readonly target: SendTarget;
  readonly pace: Pace;
  /** Resolves when the next request may begin. */
  readonly pass: () => Promise<void>;
}

const PAUSE_AFTER_FAILURE_MS = 100;

/**
 * Sends the events of one producer until `stopping` ends, then what is left. As a careful application does, it keeps every event
 * until it is acknowledged, and sends the same bytes with the same identity again when it does not know. `ended` gives up.
 */
export async function sendStory(
  { producer, story, target, pace, pass }: Sender,
  sent: Sent,
  ports: Pick<Ports, 'clock' | 'random' | 'http'>,
  stopping: AbortSignal,
  ended: AbortSignal,
): Promise<void> {
  let last: StoryEvent | null = null;
  let doubled = false;
  while (!stopping.aborted) {
    await pass();
    const count = 1 + Math.floor(ports.random.next() * pace.eventsMax);
    const events = Array.from({ length: count }, () => story.next(producer, ports.clock.now()));
    // Once, an application repeats itself: it had the answer and lost it.
    if (last !== null && !doubled) {
      events.unshift(last);
      doubled = true;
    }
    await sendUntilTaken(events, target, sent, ports, ended);
    last = events.at(-1) ?? null;
    // Never in step, as real applications are not.
    await ports.clock.sleep(pace.pauseMs * (0.5 + ports.random.next()), stopping).catch(() => {});
  }
}

async function sendUntilTaken(
  events: readonly StoryEvent[],
  { url, token }: SendTarget,
  sent: Sent,
  ports: Pick<Ports, 'clock' | 'http'>,
  ended: AbortSignal,
): Promise<void> {
  const body = new TextEncoder().encode(events.map(({ json }) => `${json}\n`).join(''));
  const headers = { 'content-type': 'application/x-ndjson', authorization: `Bearer ${token}` };
  for (;;) {
    ended.throwIfAborted();
    const answer = await ports.http
      .send({ method: 'POST', url, headers, body }, AbortSignal.any([ended, AbortSignal.timeout(5_000)]))
      .catch(() => null);
    if (answer?.status === 200) {
      const { duplicates } = JSON.parse(new TextDecoder().decode(answer.body)) as { readonly duplicates: readonly unknown[] };
      sent.duplicates += duplicates.length;
      for (const { id, json } of events) sent.acknowledged.set(id, json);
      return;
    }
    // Anything but pushback and silence means that the demo itself is wrong.
    if (answer !== null && answer.status !== 429 && answer.status !== 503) {
      throw new Error(`the demo's events were answered with ${answer.status}: ${new TextDecoder().decode(answer.body).slice(0, 300)}`);
    }
    sent.repeats += 1;
    await ports.clock.sleep(PAUSE_AFTER_FAILURE_MS, ended);
  }
}
