import { useCallback, useState } from 'react';
import { ApiError, type Client } from '../api/client.ts';
import { Entries } from '../entries/entries.tsx';
import { LedgerFacts } from '../entries/ledger-facts.tsx';
import { DestinationActions } from '../flow/destination-actions.tsx';
import { Flow } from '../flow/flow.tsx';
import { rateOf } from '../live/samples.ts';
import type { Live } from '../live/use-live.ts';
import { Minute } from '../minute/minute.tsx';
import { TopBar } from './top-bar.tsx';

interface OverviewProps {
  readonly client: Client;
  readonly live: Live;
  readonly leave: (() => void) | null;
}

/** Everything at a glance. */
export function Overview({ client, live, leave }: OverviewProps) {
  const { connection, goneSince, history, demo } = live;
  const [trouble, setTrouble] = useState<ApiError | null>(null);
  const run = useCallback((work: Promise<unknown>) => {
    setTrouble(null);
    work.catch((error: unknown) => setTrouble(error instanceof ApiError ? error : new ApiError(0, String(error), '')));
  }, []);
  const status = history.at(-1)?.status ?? null;
  const answers = connection === 'live';
  return (
    <>
      <TopBar origin={status?.ledger.origin ?? null} connection={connection} goneSince={goneSince} />
      <main className="overview">
        {trouble !== null && (
          <div className="notice" role="alert">
            <p>
              <b>{trouble.message}.</b> {trouble.action}
            </p>
            <button type="button" className="button" onClick={() => setTrouble(null)}>
              Close
            </button>
          </div>
        )}
        {connection === 'gone' && (
          <div className="notice notice-gone" role="alert">
            <p>
              <b>The server does not answer.</b>{' '}
              {demo === null ? 'It is asked again until it is back.' : 'What it had acknowledged is on the disk.'}{' '}
              {status !== null && 'Below is how it stood last.'}
            </p>
          </div>
        )}
        {demo !== null && <Minute demo={demo} live={answers} act={(what) => run(client.direct(what))} />}
        {status === null ? (
          <p className="nothing">{connection === 'gone' ? '' : 'Opening…'}</p>
        ) : (
          <>
            <Flow
              status={status}
              history={history}
              live={answers}
              actions={(view) => <DestinationActions view={view} demo={demo} live={answers} client={client} run={run} />}
            />
            <div className="below">
              <Entries
                client={client}
                durable={status.ledger.durable}
                beginning={status.ledger.beginning ?? 0}
                live={answers}
                rate={rateOf(history, ({ ledger }) => ledger.durable)}
              />
              <LedgerFacts status={status} />
            </div>
          </>
        )}
      </main>
      {leave !== null && (
        <footer className="foot">
          <p>This tab has a token of this server, and keeps it until it is closed.</p>
          <button type="button" className="button button-quiet" onClick={leave}>
            Forget the token
          </button>
        </footer>
      )}
    </>
  );
}
