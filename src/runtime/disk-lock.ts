import { resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { WaybillError } from '../contracts/errors.ts';
import { diskError } from './disk-error.ts';

/** SQLite's result code when another connection holds the lock; extended codes carry it in their low byte. */
const SQLITE_BUSY = 5;

/** The locks of this process. A connection that nobody refers to would be collected, and its lock with it. */
const held = new Set<DatabaseSync>();

/**
 * Takes a lock that the kernel frees when this process ends, however it ends. Node has no call for file locks, but SQLite holds one
 * while an exclusive transaction is open on an empty database: the file stays empty. A second taker in this process is refused too.
 * Rejects with `LEDGER_LOCKED` while another holds it. The file must never be removed: a new one would be a new lock.
 */
export function takeLock(path: string): { release(): Promise<void> } {
  let database: DatabaseSync | null = null;
  try {
    // SQLite reads some relative names as more than a name; an absolute path is only a path.
    database = new DatabaseSync(resolve(path), { timeout: 0 });
    database.exec('PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE');
  } catch (error) {
    database?.close();
    if (error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' && (error.errcode & 0xff) === SQLITE_BUSY) {
      throw new WaybillError('LEDGER_LOCKED', `${path} is locked by another process`, { cause: error, facts: { path } });
    }
    throw diskError('lock', path, error);
  }
  const taken = database;
  held.add(taken);
  return {
    async release() {
      if (held.delete(taken)) taken.close();
    },
  };
}
