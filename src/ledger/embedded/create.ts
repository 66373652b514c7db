import { WaybillError } from '../../contracts/errors.ts';
import type { Disk, Ports } from '../../contracts/ports.ts';
import { identityOf, SEGMENT_HEADER_BYTES, segmentHeader, segmentName } from './layout.ts';
import type { EmbeddedOptions } from './options.ts';
import { describeLedger, withFile } from './options.ts';

/**
 * Makes an empty ledger, durably. Rejects with `LEDGER_EXISTS`, and changes nothing, when the directory holds one, or entries of one.
 * What a crash on the way leaves is no ledger yet, and is made again.
 */
export async function createEmbeddedLedger(
  options: Pick<EmbeddedOptions, 'origin' | 'path'>,
  ports: Pick<Ports, 'disk' | 'clock' | 'random'>,
): Promise<void> {
  const { disk, clock, random } = ports;
  const { origin, path } = options;
  await refuseExisting(disk, path);
  await disk.makeDirectory(path);
  const lock = await disk.lock(`${path}/lock`);
  try {
    // Another process may have created it before this one had the lock.
    await refuseExisting(disk, path);
    await disk.makeDirectory(`${path}/segments`);
    await disk.makeDirectory(`${path}/snapshots`);
    const id = Buffer.from(random.bytes(16)).toString('hex');
    await writeWhole(disk, `${path}/segments/${segmentName(0)}`, segmentHeader(identityOf(id), 0));
    await disk.syncDirectory(`${path}/segments`);
    await writeWhole(disk, `${path}/ledger.new`, Buffer.from(describeLedger({ origin, id }, clock.now())));
    await disk.rename(`${path}/ledger.new`, `${path}/ledger.json`);
    await disk.syncDirectory(path);
  } finally {
    await lock.release();
  }
}

async function refuseExisting(disk: Disk, path: string): Promise<void> {
  const described = (await disk.length(`${path}/ledger.json`)) !== null;
  if (described) throw new WaybillError('LEDGER_EXISTS', `${path} already holds a ledger`);
  for (const name of await disk.list(`${path}/segments`)) {
    const length = (await disk.length(`${path}/segments/${name}`)) ?? 0;
    if (length > SEGMENT_HEADER_BYTES)
      throw new WaybillError('LEDGER_EXISTS', `${path} has no ledger.json, but entries in segments/${name}`);
  }
}

async function writeWhole(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  await withFile(disk, path, 'create', async (file) => {
    await file.truncate(0);
    await file.write(bytes, 0);
    await file.sync();
  });
}
