import type { ReactNode } from 'react';

interface ActionButtonProps {
  readonly act: () => void;
  /** Whether it cannot be used now. */
  readonly off?: boolean;
  readonly look?: 'first' | 'break' | 'plain';
  readonly pressed?: boolean;
  readonly children: ReactNode;
}

/** A button. One that is off can still be reached, so that nobody who uses the keyboard loses the place. */
export function ActionButton({ act, off = false, look = 'plain', pressed, children }: ActionButtonProps) {
  return (
    <button type="button" className={`button button-${look}`} aria-disabled={off} aria-pressed={pressed} onClick={() => !off && act()}>
      {children}
    </button>
  );
}
