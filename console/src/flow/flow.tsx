import type { ReactNode } from 'react';
import type { Status } from '../api/shapes.ts';
import { type History, rateOf, seriesOf } from '../live/samples.ts';
import { countText } from '../words/numbers.ts';
import { DestinationRow } from './destination-row.tsx';
import { type DestinationView, destinationView, railSpan } from './destination-view.ts';
import { LedgerPanel } from './ledger-panel.tsx';
import { type LinkState, Links } from './links.tsx';
import { SourceRow } from './source-row.tsx';

interface FlowProps {
  readonly status: Status;
  readonly history: History;
  /** Whether the server answers now; without it nothing moves in the picture. */
  readonly live: boolean;
  readonly actions: (view: DestinationView) => ReactNode;
}

const BARS = 60;

/** The picture: sources, the ledger, destinations, and what flows between them. */
export function Flow({ status, history, live, actions }: FlowProps) {
  const sources = Object.entries(status.sources).map(([name, source]) => ({
    name,
    source,
    rate: live ? rateOf(history, (earlier) => earlier.sources[name]?.entries) : 0,
  }));
  const facts = { history, live, now: Date.now() };
  const destinations = Object.entries(status.destinations).map(([name, destination]) => destinationView(name, destination, facts));
  const span = railSpan(destinations.map(({ lag }) => lag));
  return (
    <section className={live ? 'flow' : 'flow flow-gone'} aria-labelledby="flow-title">
      <h2 id="flow-title" className="unseen">
        The flow
      </h2>
      <p className="unseen" role="status" data-testid="stuck">
        {stuckWords(destinations)}
      </p>
      <div className="column column-sources">
        <h3 className="column-title">Sources</h3>
        <ul className="rows">
          {sources.map((row) => (
            <SourceRow key={row.name} {...row} />
          ))}
          {sources.length === 0 && <li className="row row-none">No source is configured.</li>}
        </ul>
      </div>
      <Links side="in" states={sources.map(({ rate }) => (rate > 0 ? 'moving' : 'still'))} />
      <div className="column column-ledger">
        <h3 className="column-title">Ledger</h3>
        <LedgerPanel ledger={status.ledger} rate={live ? rateOf(history, durable) : 0} series={seriesOf(history, BARS, durable)} />
      </div>
      <Links side="out" states={destinations.map(linkOf)} />
      <div className="column column-destinations">
        <div className="column-title">
          <h3>Destinations</h3>
          <p className="rail-scale">
            the newest <b>{countText(span)}</b> entries: <i className="key-has" /> there, <i className="key-waits" /> still to come
          </p>
        </div>
        <ul className="rows">
          {destinations.map((view) => (
            <DestinationRow key={view.name} view={view} span={span} actions={actions(view)} />
          ))}
          {destinations.length === 0 && <li className="row row-none">No destination is configured: the ledger keeps everything.</li>}
        </ul>
      </div>
    </section>
  );
}

/** For those who listen: what stands still, in words that change only when that does. */
function stuckWords(destinations: readonly DestinationView[]): string {
  const stuck = destinations.filter(({ mark }) => mark === 'waiting' || mark === 'halted' || mark === 'paused');
  return stuck.map(({ name, mark }) => `${name} is ${mark}`).join(', ');
}

function linkOf({ mark, rate }: DestinationView): LinkState {
  if (mark === 'waiting' || mark === 'halted' || mark === 'paused') return 'cut';
  return rate > 0 ? 'moving' : 'still';
}

function durable({ ledger }: Status): number {
  return ledger.durable;
}
