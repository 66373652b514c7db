import type { Connection } from '../live/use-live.ts';
import { durationText } from '../words/numbers.ts';

interface TopBarProps {
  readonly origin: string | null;
  readonly connection: Connection;
  readonly goneSince: number | null;
}

/** The name of the thing, which ledger it is, and whether the page is live. */
export function TopBar({ origin, connection, goneSince }: TopBarProps) {
  return (
    <header className="top">
      <svg className="glyph" viewBox="0 0 32 32" aria-hidden="true">
        <path d="M6 8.5h20M6 16h12M6 23.5h6" />
        <circle cx="24.5" cy="16" r="2.6" />
        <circle cx="18.5" cy="23.5" r="2.6" className="glyph-late" />
      </svg>
      <h1>Waybill</h1>
      {origin !== null && <p className="origin mono">{origin}</p>}
      <p className={`connection connection-${connection}`} role="status" data-testid="connection">
        {connectionWords(connection, goneSince)}
      </p>
    </header>
  );
}

function connectionWords(connection: Connection, goneSince: number | null): string {
  if (connection === 'live') return 'live';
  if (connection !== 'gone') return 'opening';
  const ms = goneSince === null ? 0 : Date.now() - goneSince;
  return ms < 2_000 ? 'no answer' : `no answer for ${durationText(ms)}`;
}
