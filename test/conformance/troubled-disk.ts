import assert from 'node:assert/strict';
import { WaybillError } from '../../src/contracts/errors.ts';
import type { Disk, DiskFile } from '../../src/contracts/ports.ts';
import type { Trouble } from './sink.ts';

/** A real disk on which things go wrong when they are asked to. */
export interface TroubledDisk extends Disk {
  trouble(kind: Trouble, giveUp: () => void): void;
  heal(): void;
}

/** Puts trouble in front of a disk. A full one takes half of what is written, as a real one may. */
export function troubledDisk(disk: Disk): TroubledDisk {
  let kind: Trouble | null = null;
  let giveUp = nothing;
  let wake = nothing;

  const commit = async (file: DiskFile, bytes: Uint8Array, at: number): Promise<void> => {
    if (kind === 'refused') {
      await file.write(bytes.subarray(0, bytes.length >> 1), at);
      throw new WaybillError('DISK_FULL', 'cannot write to the file: no space left on device (ENOSPC)');
    }
    if (kind === 'hang') {
      giveUp();
      await new Promise<void>((resolve) => (wake = resolve));
    }
    await file.commit(bytes, at);
    if (kind === 'answer-lost') giveUp();
  };

  return {
    ...disk,
    async open(path, mode) {
      if (kind === 'unauthorized') throw new WaybillError('DISK_FAILED', `cannot open ${path}: permission denied (EACCES)`);
      const file = await disk.open(path, mode);
      return {
        length: () => file.length(),
        read: (at, length) => file.read(at, length),
        readNow: (into, at) => file.readNow(into, at),
        write: (bytes, at) => file.write(bytes, at),
        sync: () => file.sync(),
        commit: (bytes, at) => commit(file, bytes, at),
        truncate: (length) => file.truncate(length),
        close: () => file.close(),
      };
    },
    trouble(next, onGiveUp) {
      assert.ok(next !== 'busy' && next !== 'poison', `a disk has no trouble of the kind ${next}`);
      kind = next;
      giveUp = onGiveUp;
    },
    heal() {
      kind = null;
      wake();
    },
  };
}

function nothing(): void {}
