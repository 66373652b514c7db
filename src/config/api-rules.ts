import { closest } from './closest.ts';
import type { ApiConfig, Config, ListenerConfig, TokenConfig } from './config.ts';
import type { PathFault } from './faults.ts';
import { isLoopback } from './keys.ts';
import type { ConfigPath } from './places.ts';

/** What only shows when the parts of `api` and the sources are put side by side. */
export function apiFaults({ api, sources }: Pick<Config, 'api' | 'sources'>): PathFault[] {
  const known = sources.map(({ name }) => name);
  return [
    ...api.listeners.flatMap((listener, place) => listenerFaults(listener, place, api)),
    ...api.tokens.flatMap((token, place) => tokenFaults(token, place, api, known)),
  ];
}

/** Where a listener stands in the file: `listen` is short for one that serves everything. */
function placeOf(place: number, { listeners }: ApiConfig): ConfigPath {
  return listeners.length === 1 ? ['api'] : ['api', 'listeners', place];
}

function listenerFaults(listener: ListenerConfig, place: number, api: ApiConfig): PathFault[] {
  const { listen, serve, tls, cleartext } = listener;
  const path = placeOf(place, api);
  const faults: PathFault[] = [];
  const near = isLoopback(listen.host);
  if (api.tokens.length === 0 && !near) {
    const message = `listening on ${listen.host} needs at least one token in api.tokens; without one only loopback is allowed`;
    faults.push(fault([...path, 'listen'], message));
  }
  if (api.tokens.length > 0 && !near && tls === null && !cleartext) {
    const found = `tokens would be readable on the network at ${listen.host}`;
    const message = `${found}; add tls, or set cleartext: true where a proxy before it speaks TLS`;
    faults.push(fault([...path, 'listen'], message));
  }
  const same = api.listeners.slice(0, place).some((earlier) => sameAddress(earlier, listener));
  if (same) faults.push(fault([...path, 'listen'], `two listeners have the address ${listen.host}, port ${listen.port}`));
  if (serve.includes('console') && !serve.includes('control'))
    faults.push(fault([...path, 'serve'], 'the console talks to its own address, so `control` has to be served there too'));
  return faults;
}

function sameAddress(a: ListenerConfig, b: ListenerConfig): boolean {
  return a.listen.port !== 0 && a.listen.host === b.listen.host && a.listen.port === b.listen.port;
}

function tokenFaults(token: TokenConfig, place: number, { tokens, listeners }: ApiConfig, known: readonly string[]): PathFault[] {
  const path = ['api', 'tokens', place];
  const earlier = tokens.slice(0, place);
  const faults: PathFault[] = [];
  if (earlier.some(({ name }) => name === token.name)) faults.push(fault([...path, 'name'], `two tokens are named ${token.name}`));
  const key = JSON.stringify(token.proof);
  if (earlier.some(({ proof }) => JSON.stringify(proof) === key))
    faults.push(fault(path, `the token or certificate of ${token.name} is also that of another name`));
  if (token.proof.by !== 'token' && listeners.every(({ tls }) => tls === null || tls.clientCa === null))
    faults.push(fault(path, `${token.name} has a certificate, and no listener has tls with client_ca to ask for it`));
  if (token.sources !== null && token.role !== 'producer')
    faults.push(fault([...path, 'sources'], 'only a token with the role producer is bound to sources'));
  for (const [at, name] of (token.sources ?? []).entries()) {
    if (!known.includes(name)) faults.push(fault([...path, 'sources', at], `there is no source ${name}`, closest(name, known)));
  }
  return faults;
}

function fault(path: ConfigPath, message: string, suggestion: string | null = null): PathFault {
  return { path, part: 'value', message, suggestion };
}
