/**
 * A producer that never gives up: it sends every batch until it is acknowledged, always with the same identities, as a careful
 * application does.
 */
export interface Producer {
  /** Identities in the order in which their batches were acknowledged, lane by lane. */
  readonly acknowledged: readonly string[];
  /** How many answers were lost, so that the batch was sent again. */
  readonly repeats: number;
  /** Stops after the batches in flight are acknowledged. */
  finish(): Promise<void>;
  /** Stops at once, whatever is not acknowledged. */
  abandon(): void;
}

/**
 * Starts `lanes` senders that post batches of `batch` events to `url` without a pause. `query` names the source where there are several,
 * and
 * identities begin with `prefix`.
 */
export function startProducer(url: string, lanes: number, batch: number, query = '', prefix = 'evt'): Producer {
  const acknowledged: string[] = [];
  const state = { repeats: 0, finishing: false, abandoned: false };
  const send = async (lane: number): Promise<void> => {
    for (let round = 0; !state.finishing; round += 1) {
      const ids = Array.from({ length: batch }, (_, k) => `${prefix}_${lane}_${round}_${k}`);
      const body = ids.map((id, k) => `${JSON.stringify({ id, lane, round, k, text: 'x'.repeat(300) })}\n`).join('');
      if (await sendUntilTaken(`${url}/v1/events${query}`, body, state)) acknowledged.push(...ids);
    }
  };
  const done = Promise.all(Array.from({ length: lanes }, (_, lane) => send(lane)));
  // A failure must reach `finish`, not end the test run on its own.
  done.catch(() => {});
  return {
    acknowledged,
    get repeats() {
      return state.repeats;
    },
    async finish() {
      state.finishing = true;
      await done;
    },
    abandon() {
      state.finishing = true;
      state.abandoned = true;
    },
  };
}

async function sendUntilTaken(url: string, body: string, state: { repeats: number; abandoned: boolean }): Promise<boolean> {
  while (!state.abandoned) {
    const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body }).catch(() => null);
    if (answer !== null) {
      const text = await answer.text().catch(() => null);
      if (text !== null && answer.status === 200) return true;
      if (text !== null && answer.status !== 503 && answer.status !== 429) throw new Error(`the answer was ${answer.status}: ${text}`);
    }
    state.repeats += 1;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return false;
}
