import { useState } from 'react';
import type { Client } from '../api/client.ts';
import { ActionButton } from '../controls/action-button.tsx';
import { FOLLOWED_MAX, useEntries } from '../live/use-entries.ts';
import { countText } from '../words/numbers.ts';
import type { EntryView } from './describe.ts';

interface EntriesProps {
  readonly client: Client;
  readonly durable: number;
  readonly beginning: number;
  readonly live: boolean;
  /** How many entries a second there are now. */
  readonly rate: number;
}

/** The newest entries as they come. They can be held, to be read in peace. */
export function Entries({ client, durable, beginning, live, rate }: EntriesProps) {
  const [held, setHeld] = useState(false);
  const fast = rate > FOLLOWED_MAX;
  const entries = useEntries(client, { durable, beginning, live, held, fast });
  return (
    <section className="panel entries" aria-labelledby="entries-title">
      <div className="panel-head">
        <h2 id="entries-title">The last entries</h2>
        {fast && <p className="panel-note">more than anybody reads: the newest, twice a second</p>}
        <ActionButton pressed={held} act={() => setHeld(!held)}>
          Hold
        </ActionButton>
      </div>
      {entries.length === 0 ? (
        <p className="nothing">Nothing was accepted yet. Send an event to POST /v1/events, and it is here once it is durable.</p>
      ) : (
        <table>
          <thead>
            <tr>
              <th scope="col" className="number">
                index
              </th>
              <th scope="col" className="wide">
                received
              </th>
              <th scope="col" className="wide">
                source
              </th>
              <th scope="col">what</th>
              <th scope="col">outcome</th>
              <th scope="col" className="wide">
                who
              </th>
            </tr>
          </thead>
          <tbody>
            {entries.map((entry) => (
              <EntryRow key={entry.index} entry={entry} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function EntryRow({ entry }: { readonly entry: EntryView }) {
  const { index, time, source, action, outcome, who, control } = entry;
  const good = outcome === 'success' || outcome === 'declared' || outcome === '';
  return (
    <tr className={control ? 'entry-control' : ''}>
      <td className="number mono">{countText(index)}</td>
      <td className="wide mono">{time}</td>
      <td className="wide">{source}</td>
      <td className="cut">{action}</td>
      <td className={good ? '' : 'entry-bad'}>{good ? outcome : `× ${outcome}`}</td>
      <td className="wide cut">{who}</td>
    </tr>
  );
}
