import type { LedgerStatus } from '../api/shapes.ts';
import { bytesText, countText, rateText } from '../words/numbers.ts';
import { Spark } from './spark.tsx';

interface LedgerProps {
  readonly ledger: LedgerStatus;
  readonly rate: number;
  readonly series: readonly number[];
}

/** The ledger: how long it is, how fast it grows, and that all of it is durable. */
export function LedgerPanel({ ledger, rate, series }: LedgerProps) {
  const underWay = ledger.size - ledger.durable;
  return (
    <div className="ledger">
      <p className="ledger-size" data-testid="ledger-size">
        {countText(ledger.durable)}
      </p>
      <p className="ledger-words">
        {underWay === 0 ? 'entries, every one durable' : `entries durable, ${countText(underWay)} being written`}
      </p>
      <Spark series={series} label="Growth of the ledger" />
      <div className="spark-scale">
        <span>one minute</span>
        <p className="rate">
          <b>{rateText(rate)}</b> <span>/s</span>
        </p>
      </div>
      <dl className="ledger-facts">
        <div>
          <dt>root</dt>
          <dd className="mono">{ledger.head === undefined ? 'none yet' : `${ledger.head.root.slice(0, 10)}…`}</dd>
        </div>
        <div>
          <dt>on disk</dt>
          <dd>{ledger.bytes === undefined ? 'unknown' : bytesText(ledger.bytes.used)}</dd>
        </div>
      </dl>
    </div>
  );
}
