import type { Purpose } from '../config/config.ts';

/** Asked by whoever watches the process, so they are answered at every address. */
const EVERYWHERE: readonly string[] = ['/livez', '/readyz', '/openapi.json'];
const INGEST: readonly string[] = ['/v1/events', '/v1/logs'];

/** What a path belongs to, by which a listener serves it or not; `null`: it is served everywhere. It is what a proxy would go by, too. */
export function purposeOf(path: string): Purpose | null {
  if (INGEST.includes(path)) return 'ingest';
  if (path.startsWith('/v1/')) return 'control';
  if (EVERYWHERE.includes(path)) return null;
  if (path === '/metrics') return 'metrics';
  return path.startsWith('/tlog/') ? 'tlog' : 'console';
}

/** Whether a listener that serves these answers a path. */
export function isServed(path: string, serve: readonly Purpose[]): boolean {
  const purpose = purposeOf(path);
  return purpose === null || serve.includes(purpose);
}
