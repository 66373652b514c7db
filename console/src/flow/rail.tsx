import { countText } from '../words/numbers.ts';

/**
 * Where a destination stands on the newest `span` entries: the filled part it has, the hatched part waits for it. All rails of the picture
 * have the same scale.
 */
export function Rail({ lag, span, label }: { readonly lag: number; readonly span: number; readonly label: string }) {
  const behind = Math.min(100, (lag / span) * 100);
  return (
    <div className="rail" role="img" aria-label={`${label}: ${countText(lag)} of the newest ${countText(span)} entries are still to come`}>
      <div className="rail-has" style={{ width: `${100 - behind}%` }} />
      <div className="rail-waits" style={{ width: `${behind}%` }} />
    </div>
  );
}
