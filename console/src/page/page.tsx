import { useMemo, useState } from 'react';
import { createClient } from '../api/client.ts';
import { useLive } from '../live/use-live.ts';
import type { PageFacts } from '../session/page-facts.ts';
import { dropToken, keepToken, takeToken } from '../session/token.ts';
import { TokenForm } from '../session/token-form.tsx';
import { Overview } from './overview.tsx';

/** The page: asks for a token where one is needed, and shows everything to whoever has it. */
export function Page({ facts }: { readonly facts: PageFacts }) {
  const [token, setToken] = useState(takeToken);
  if (facts.tokens && token === null) {
    return (
      <Gate
        refused={false}
        onToken={(typed) => {
          keepToken(typed);
          setToken(typed);
        }}
      />
    );
  }
  return <Opened key={token} facts={facts} token={token} onToken={setToken} />;
}

interface OpenedProps {
  readonly facts: PageFacts;
  readonly token: string | null;
  readonly onToken: (token: string | null) => void;
}

function Opened({ facts, token, onToken }: OpenedProps) {
  const client = useMemo(() => createClient(token), [token]);
  const live = useLive(client, facts.demo);
  if (live.connection === 'refused') {
    return (
      <Gate
        refused
        onToken={(typed) => {
          keepToken(typed);
          onToken(typed);
        }}
      />
    );
  }
  const leave =
    token === null
      ? null
      : () => {
          dropToken();
          onToken(null);
        };
  return <Overview client={client} live={live} leave={leave} />;
}

function Gate(props: { readonly refused: boolean; readonly onToken: (token: string) => void }) {
  return (
    <main className="gate">
      <TokenForm {...props} />
    </main>
  );
}
