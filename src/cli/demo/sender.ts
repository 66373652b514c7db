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

/** How long a sender waits between two requests. */
const PAUSE_MS = 50;
const PAUSE_AFTER_FAILURE_MS = 100;

/**
 * Sends the events of one producer until `stopping` ends, then what is left. As a careful application does, it keeps every event
 * until it is acknowledged, and sends the same bytes with the same identity again when it does not know. `ended` gives up.
 */
export async function sendStory(
  producer: string,
  story: Story,
  target: SendTarget,
  sent: Sent,
  ports: Pick<Ports, 'clock' | 'random' | 'http'>,
  stopping: AbortSignal,
  ended: AbortSignal,
): Promise<void> {
  let last: StoryEvent | null = null;
  let doubled = false;
  while (!stopping.aborted) {
    const count = 4 + Math.floor(ports.random.next() * 16);
    const events = Array.from({ length: count }, () => story.next(producer, ports.clock.now()));
    // Once, an application repeats itself: it had the answer and lost it.
    if (last !== null && !doubled) {
      events.unshift(last);
      doubled = true;
    }
    await sendUntilTaken(events, target, sent, ports, ended);
    last = events.at(-1) ?? null;
    await ports.clock.sleep(PAUSE_MS, stopping).catch(() => {});
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
