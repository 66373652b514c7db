import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDisk } from '../../src/runtime/disk.ts';
import { type LedgerHarness, ledgerConformance } from './ledger.ts';
import { chance } from './ledger-workload.ts';
import { type CrashStyle, MemoryDisk } from './memory-disk.ts';
import { newLedger, OPTIONS, reopen } from './small-ledger.ts';

/** The embedded ledger on a disk that forgets what was not flushed in the given style. */
function inMemory(style: CrashStyle): LedgerHarness {
  return {
    skip: [],
    async start() {
      let disk = new MemoryDisk();
      await (await newLedger(disk)).close();
      return {
        open: () => reopen(disk),
        crash: async () => {
          disk = disk.afterCrash(style, chance(17));
        },
        hold: () => disk.holdFlushes(`${OPTIONS.path}/segments`),
        damage: async () => {
          const path = disk.files().find((name) => name.endsWith('.seg')) as string;
          const bytes = disk.bytes(path);
          bytes.writeUInt8(bytes.readUInt8(3_000) ^ 4, 3_000);
          disk.replace(path, bytes);
        },
        stop: async () => undefined,
      };
    },
  };
}

/** The embedded ledger on the disk of this machine, as small or with the sizes that it has by default. */
function onDisk(sizes: object): LedgerHarness {
  return {
    skip: [
      { needs: 'hold', reason: 'the flushes of a real disk cannot be stopped' },
      { needs: 'damage', reason: 'done byte by byte on the disk in memory' },
    ],
    async start() {
      const directory = mkdtempSync(join(tmpdir(), 'waybill-ledger-'));
      const disk = openDisk();
      let options = { ...OPTIONS, ...sizes, path: join(directory, '0') };
      await (await newLedger(disk, options)).close();
      let lives = 0;
      return {
        open: () => reopen(disk, options),
        crash: async () => {
          // A copy has what a killed process leaves, and no lock on it.
          const path = join(directory, String(++lives));
          cpSync(options.path, path, { recursive: true });
          options = { ...options, path };
        },
        stop: async () => {
          await disk.close();
          rmSync(directory, { recursive: true });
        },
      };
    },
  };
}

for (const style of ['lost', 'whole', 'torn', 'sectors'] as const)
  ledgerConformance(`the embedded ledger (memory, ${style})`, inMemory(style));
ledgerConformance('the embedded ledger (disk, small)', onDisk({}));
const MIB = 1024 * 1024;
const DEFAULTS = { segmentBytes: 64 * MIB, reservedBytes: 4 * MIB, ringBytes: 48 * MIB, aheadBytes: 8 * MIB, groupBytes: 4 * MIB };
ledgerConformance('the embedded ledger (disk, default sizes)', onDisk(DEFAULTS));
