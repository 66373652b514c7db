import { WaybillError } from '../../contracts/errors.ts';
import type { Disk, DiskFile } from '../../contracts/ports.ts';
import { FORMAT_VERSION } from './layout.ts';

/** Which ledger, and how much it may take. */
export interface EmbeddedOptions {
  /** The name of the log: a URL without a scheme. It has to be the one that the ledger was created with. */
  readonly origin: string;
  /** The directory of the ledger. */
  readonly path: string;
  /** How many bytes the directory may take; `null`: what the disk has. */
  readonly limitBytes: number | null;
  /** The size at which a segment ends, at the next multiple of 256 entries. Default 64 MiB. */
  readonly segmentBytes?: number;
  /** The last part of the space, which only control entries, the journal and the register may use. Default 4 MiB. */
  readonly reservedBytes?: number;
  /** How much of the newest entries is kept in memory for reading. Default 48 MiB. */
  readonly ringBytes?: number;
  /** How far ahead space is written, so that an append waits for none. Default 8 MiB, or an eighth of a smaller segment. */
  readonly aheadBytes?: number;
  /** The most that one flush writes. Default 4 MiB. */
  readonly groupBytes?: number;
}

/** The facts of `ledger.json`. */
export interface LedgerFacts {
  readonly origin: string;
  readonly id: string;
}

/** The content of `ledger.json`. */
export function describeLedger(facts: LedgerFacts, createdMs: number): string {
  const { origin, id } = facts;
  const created = new Date(createdMs).toISOString();
  return `${JSON.stringify({ format: 'waybill-ledger', version: FORMAT_VERSION, origin, id, created })}\n`;
}

/** Reads `ledger.json`, or answers `null` when there is none. */
export async function readLedgerFacts(disk: Disk, path: string): Promise<LedgerFacts | null> {
  const file = `${path}/ledger.json`;
  if ((await disk.length(file)) === null) return null;
  const text = await withFile(disk, file, 'read', async (opened) =>
    Buffer.from(await opened.read(0, await opened.length())).toString('utf8'),
  );
  const facts = parseFacts(text);
  if (facts === null) throw new WaybillError('LEDGER_CORRUPT', `${file} cannot be read`, { facts: { file, offset: 0 } });
  if (facts.version !== FORMAT_VERSION) {
    throw new WaybillError(
      'LEDGER_FORMAT',
      `${path} has the format version ${String(facts.version)}, and this program reads version ${FORMAT_VERSION}`,
    );
  }
  return { origin: facts.origin, id: facts.id };
}

/** Opens a file, uses it and closes it again. */
export async function withFile<Out>(
  disk: Disk,
  path: string,
  mode: 'create' | 'existing' | 'read',
  use: (file: DiskFile) => Promise<Out>,
): Promise<Out> {
  const file = await disk.open(path, mode);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

function parseFacts(text: string): { readonly version: unknown; readonly origin: string; readonly id: string } | null {
  try {
    const { format, version, origin, id } = JSON.parse(text) as Record<string, unknown>;
    if (format !== 'waybill-ledger' || typeof origin !== 'string' || typeof id !== 'string' || !/^[0-9a-f]{32}$/.test(id)) return null;
    return { version, origin, id };
  } catch {
    return null;
  }
}
