import type { Status } from '../api/shapes.ts';
import { bytesText, countText, durationText } from '../words/numbers.ts';

const DAY_MS = 86_400_000;

/** What else there is to know about the ledger. */
export function LedgerFacts({ status }: { readonly status: Status }) {
  const { ledger, producers, refused_bytes: refused } = status;
  const facts: (readonly [string, string])[] = [
    ['Origin', ledger.origin],
    ['Oldest entry kept', countText(ledger.beginning ?? 0)],
  ];
  if (ledger.head !== undefined)
    facts.push(['Root of the tree', ledger.head.root], ['It covers', `${countText(ledger.head.size)} entries`]);
  const { bytes, days_left: daysLeft } = ledger;
  if (bytes !== undefined)
    facts.push(['Space', bytes.free === null ? bytesText(bytes.used) : `${bytesText(bytes.used)} used, ${bytesText(bytes.free)} left`]);
  if (daysLeft !== undefined && daysLeft !== null) facts.push(['Lasts, at this rate', durationText(daysLeft * DAY_MS)]);
  if (producers !== undefined)
    facts.push(['Producers', `${countText(producers.tracked)} numbered, ${countText(producers.open_ranges)} with a hole in their numbers`]);
  if (refused !== undefined && refused > 0) facts.push(['Refused, and kept', bytesText(refused)]);
  return (
    <section className="panel ledger-more" aria-labelledby="facts-title">
      <div className="panel-head">
        <h2 id="facts-title">The ledger</h2>
      </div>
      <dl>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {ledger.damage !== undefined && ledger.damage !== null && (
        <p className="trouble">
          <b>Damage</b> {ledger.damage}
        </p>
      )}
    </section>
  );
}
