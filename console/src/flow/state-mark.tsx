import type { ReactElement } from 'react';
import type { Mark } from './destination-view.ts';

const SHAPES: Readonly<Record<Mark, ReactElement>> = {
  still: <circle cx="8" cy="8" r="5.2" className="mark-line" />,
  moving: <circle cx="8" cy="8" r="6" className="mark-fill" />,
  catching: <path d="M2.5 3.2 7.6 8l-5.1 4.8M8.4 3.2 13.5 8l-5.1 4.8" className="mark-line" />,
  waiting: <path d="M8 1.8 14.6 13.6H1.4Z" className="mark-line" />,
  paused: <path d="M4.9 2.6v10.8M11.1 2.6v10.8" className="mark-bars" />,
  halted: <path d="M5 1.6h6L14.4 5v6L11 14.4H5L1.6 11V5Z" className="mark-fill" />,
  unknown: <path d="M3 3l10 10M13 3 3 13" className="mark-line" />,
};

/** The shape of a state. The words stand beside it, so it says nothing to those who listen. */
export function StateMark({ mark }: { readonly mark: Mark }) {
  return (
    <svg className={`mark mark-${mark}`} viewBox="0 0 16 16" aria-hidden="true">
      {SHAPES[mark]}
    </svg>
  );
}
