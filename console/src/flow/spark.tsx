import { countText, rateText } from '../words/numbers.ts';

/** A minute of a rate as bars, the newest at the right. `series` is in entries a second. */
export function Spark({ series, label }: { readonly series: readonly number[]; readonly label: string }) {
  const top = Math.max(1, ...series);
  const peak = series.length === 0 ? 0 : Math.max(...series);
  return (
    <svg
      className="spark"
      viewBox={`0 0 ${series.length} 24`}
      preserveAspectRatio="none"
      role="img"
      aria-label={`${label}: the last minute, at most ${rateText(peak)} a second, ${countText(series.length)} bars`}
    >
      {series.map((value, place) => {
        const height = value === 0 ? 0.6 : Math.max(1.2, (value / top) * 23);
        // Bars have no identity but their place.
        return (
          <rect key={place} x={place + 0.14} y={24 - height} width={0.72} height={height} className={value === 0 ? 'spark-none' : ''} />
        );
      })}
    </svg>
  );
}
