import { getSystemErrorMap } from 'node:util';
import { WaybillError } from '../contracts/errors.ts';

const NO_SPACE: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

/** Turns a failure of the operating system into an operating error that names what was tried, the path and the reason. */
export function diskError(verb: string, path: string, cause: unknown): WaybillError {
  const errno = errnoOf(cause);
  const name = errno === null ? null : (getSystemErrorMap().get(errno) ?? null);
  const reason = name === null ? String(cause instanceof Error ? cause.message : cause) : `${name[1]} (${name[0]})`;
  const code = name !== null && NO_SPACE.has(name[0]) ? 'DISK_FULL' : 'DISK_FAILED';
  return new WaybillError(code, `cannot ${verb} ${path}: ${reason}`, { cause, facts: { path, errno: name?.[0] ?? 'unknown' } });
}

/** Whether a failure says that there is nothing at the path. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

/** The number that the operating system gave, negative as in libuv, or `null` when it was not the operating system that failed. */
export function errnoOf(error: unknown): number | null {
  return error instanceof Error && 'errno' in error && typeof error.errno === 'number' && error.errno < 0 ? error.errno : null;
}
