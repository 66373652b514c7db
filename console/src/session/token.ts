const KEY = 'waybill.token';

/**
 * The token of whoever looks at the page: from the address (`#token=…`), which is then taken out of it so that nobody copies it by mistake,
 * or from earlier in this tab. It is kept in this tab only.
 */
export function takeToken(): string | null {
  const named = new URLSearchParams(location.hash.slice(1)).get('token');
  if (named === null || named === '') return sessionStorage.getItem(KEY);
  sessionStorage.setItem(KEY, named);
  history.replaceState(null, '', location.pathname + location.search);
  return named;
}

/** Keeps a token that was typed in. */
export function keepToken(token: string): void {
  sessionStorage.setItem(KEY, token);
}

/** Forgets the token. */
export function dropToken(): void {
  sessionStorage.removeItem(KEY);
}
