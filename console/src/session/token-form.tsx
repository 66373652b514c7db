import { useState } from 'react';

/** Asks for a token. `refused`: the one that was used did not do. */
export function TokenForm({ refused, onToken }: { readonly refused: boolean; readonly onToken: (token: string) => void }) {
  const [token, setToken] = useState('');
  return (
    <form
      className="panel token"
      // A browser would otherwise send the form to the address of the page.
      action={() => {
        if (token.trim() !== '') onToken(token.trim());
      }}
    >
      <h1>Waybill</h1>
      <p>{refused ? 'This token is not known here, or may not read. Try another one.' : 'Who looks at this page needs a token.'}</p>
      <label htmlFor="token">Token of a viewer, auditor or operator</label>
      <div className="token-row">
        <input
          id="token"
          type="password"
          autoComplete="off"
          spellCheck={false}
          value={token}
          aria-invalid={refused}
          onChange={(event) => setToken(event.target.value)}
        />
        <button type="submit" className="button button-first">
          Open
        </button>
      </div>
      <p className="token-note">
        It is one of <code>api.tokens</code> in the configuration. This tab keeps it until it is closed; it is sent to this server only.
      </p>
    </form>
  );
}
