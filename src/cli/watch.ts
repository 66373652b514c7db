import { isWaybillError } from '../contracts/errors.ts';
import { type OpenPorts, openPorts } from '../runtime/ports.ts';
import { listenToSignals } from '../runtime/signals.ts';
import type { ApiClient } from './client.ts';
import { isTerminal, openScreen, type Screen } from './screen.ts';
import { readStatus, type StatusView } from './status-view.ts';
import type { Terminal } from './terminal.ts';
import { watchLines } from './watch-view.ts';

const EVERY_MS = 1_000;
/** What is read later by somebody need not be told every second. */
const EVERY_LINES_MS = 10_000;
const COLUMNS = 120;

/**
 * Shows the flow until `q`, Ctrl-C or SIGTERM: as a picture on a terminal, and as lines every ten seconds anywhere else. A process that
 * does not answer for a while is waited for.
 */
export async function watch(client: ApiClient, terminal: Terminal): Promise<void> {
  const ending = new AbortController();
  const signals = listenToSignals({ stop: () => ending.abort(), reload: () => {} });
  const ports = await openPorts({ logLevel: 'error' });
  let drawn: (() => void) | null = null;
  const screen = isTerminal() ? openScreen({ quit: () => ending.abort(), resized: () => drawn?.() }) : null;
  const watching = { client, clock: ports.clock, screen, signal: ending.signal };
  try {
    for await (const lines of pictures(watching)) {
      drawn = () => screen?.draw([...lines(), '', 'q quits']);
      drawn();
      if (screen === null) for (const line of [...lines(), '']) terminal.out(line);
    }
  } finally {
    screen?.close();
    signals.close();
    await ports.close();
  }
}

interface Watching {
  readonly client: ApiClient;
  readonly clock: OpenPorts['clock'];
  readonly screen: Screen | null;
  readonly signal: AbortSignal;
}

/** One picture after another, each made for the width that the terminal has when it is drawn. */
async function* pictures({ client, clock, screen, signal }: Watching): AsyncGenerator<() => string[]> {
  let last: { readonly status: StatusView; readonly at: number } | null = null;
  while (!signal.aborted) {
    const at = clock.monotonic();
    try {
      const status = readStatus(await client.get('/v1/status', signal));
      const before: { readonly status: StatusView; readonly ms: number } | null = last && { status: last.status, ms: at - last.at };
      const now = clock.now();
      last = { status, at };
      yield () => watchLines({ status, before, now, columns: screen?.columns() ?? COLUMNS, colour: screen?.colour ?? false });
    } catch (error) {
      if (signal.aborted) return;
      // A process that was never there is a mistake on the command line; one that was there may be restarting.
      if (last === null || !isWaybillError(error) || error.code !== 'NOT_RUNNING') throw error;
      const { message } = error;
      yield () => [`${message}; asking again`];
    }
    await clock.sleep(screen === null ? EVERY_LINES_MS : EVERY_MS, signal).catch(() => {});
  }
}
