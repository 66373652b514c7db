/** How a link looks: something moves on it, nothing does, or it is cut. */
export type LinkState = 'moving' | 'still' | 'cut';

/** The lines between the rows of one side and the ledger. Pictures only: what they show is in the words of the rows. */
export function Links({ states, side }: { readonly states: readonly LinkState[]; readonly side: 'in' | 'out' }) {
  return (
    <svg className={`links links-${side}`} viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
      {states.map((state, place) => {
        const y = ((place + 0.5) / states.length) * 100;
        const middle = 50 + (y - 50) * 0.18;
        const path = side === 'in' ? `M0 ${y} C55 ${y} 45 ${middle} 100 ${middle}` : `M0 ${middle} C55 ${middle} 45 ${y} 100 ${y}`;
        return (
          <g key={place} className={`link link-${state}`}>
            <path d={path} className="link-rail" vectorEffect="non-scaling-stroke" />
            <path d={path} className="link-flow" vectorEffect="non-scaling-stroke" />
          </g>
        );
      })}
    </svg>
  );
}
