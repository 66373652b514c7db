import { createHash } from 'node:crypto';

/** What must not be said of an address: a server that refuses often quotes it, as it was sent or decoded. */
export function querySecrets(url: URL): readonly string[] {
  return [url.search, ...url.searchParams.values()];
}

/** An address as the name of a target. The query may hold a key, so it is only told whether it is the same. */
export function urlTarget(url: URL): string {
  const query = url.search === '' ? '' : `?#${createHash('sha256').update(url.search).digest('hex').slice(0, 8)}`;
  return `${url.origin}${url.pathname}${query}`;
}

/** Names of headers in one case only, so that none is sent twice. */
export function lowerCased(named: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(named).map(([name, value]) => [name.toLowerCase(), value]));
}
