import type { Verdict } from '../api/shapes.ts';
import { countText } from '../words/numbers.ts';

/** What was found when everything was read back, place by place. */
export function VerdictPanel({ verdict }: { readonly verdict: Verdict }) {
  const { agree, entries, places, findings } = verdict;
  return (
    <div className={agree ? 'verdict' : 'verdict verdict-bad'} data-testid="verdict">
      <p className="verdict-words" role="status">
        <span aria-hidden="true">{agree ? '✓' : '×'}</span> {agree ? 'All agree.' : 'They do not agree.'} {countText(entries)} entries,{' '}
        {total(places.map(({ lost }) => lost))} lost, {total(places.map(({ repeated }) => repeated))} repeated,{' '}
        {total(places.map((place) => place.out_of_order))} out of order.
      </p>
      <table>
        <thead>
          <tr>
            <th scope="col">place</th>
            <th scope="col">entries</th>
            <th scope="col">lost</th>
            <th scope="col">repeated</th>
            <th scope="col">out of order</th>
            <th scope="col">changed</th>
          </tr>
        </thead>
        <tbody>
          <tr>
            <th scope="row">ledger</th>
            <td>{countText(entries)}</td>
            <td colSpan={4}>what the places are compared with</td>
          </tr>
          {places.map((place) => (
            <tr key={place.name}>
              <th scope="row">{place.name}</th>
              <td>{countText(place.entries)}</td>
              <td>{countText(place.lost)}</td>
              <td>{countText(place.repeated)}</td>
              <td>{countText(place.out_of_order)}</td>
              <td>{countText(place.changed)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <ul className="findings">
        {findings.map(({ what, found, good }) => (
          <li key={what} className={good ? '' : 'finding-bad'}>
            <span>{good ? 'ok' : 'FAILED'}</span> {what} <b>{found}</b>
          </li>
        ))}
      </ul>
    </div>
  );
}

function total(counts: readonly number[]): string {
  return countText(counts.reduce((sum, count) => sum + count, 0));
}
