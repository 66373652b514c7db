import type { SourceStatus } from '../api/shapes.ts';
import { countText, rateText } from '../words/numbers.ts';

/** A source: who sends, how fast, and what became of it. */
export function SourceRow({ name, source, rate }: { readonly name: string; readonly source: SourceStatus; readonly rate: number }) {
  return (
    <li className="row source">
      <div className="row-head">
        <h3>{name}</h3>
        <p className="rate">
          <b>{rateText(rate)}</b> <span>/s</span>
        </p>
      </div>
      <dl className="facts">
        <Fact name="entries" value={source.entries} />
        <Fact name="duplicates" value={source.duplicates} />
        <Fact name="refused" value={source.rejected + source.conflicts} />
      </dl>
    </li>
  );
}

function Fact({ name, value }: { readonly name: string; readonly value: number }) {
  return (
    <div className={value === 0 ? 'fact fact-none' : 'fact'}>
      <dt>{name}</dt>
      <dd>{countText(value)}</dd>
    </div>
  );
}
