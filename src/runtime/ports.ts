import { assert } from '../contracts/assert.ts';
import type { Observers } from '../contracts/observer.ts';
import type { Background, Ports } from '../contracts/ports.ts';
import { openBackground } from './background.ts';
import { openClock } from './clock.ts';
import { openDisk } from './disk.ts';
import { foreignFiles } from './files.ts';
import { openHttp } from './http-client.ts';
import { type LogLevel, openLog } from './log.ts';
import { createObservers } from './observers.ts';
import { openOutput } from './output.ts';
import { openRandom } from './random.ts';

/** How the ports are opened. */
export interface PortsOptions {
  readonly logLevel: LogLevel;
  /** The module that exports `jobs` for the background threads. Absent: there is no background work. */
  readonly jobs?: URL;
}

/** The real ports. */
export interface OpenPorts extends Ports {
  /**
   * The same ports with a disk of their own: its writer thread starts with its first write. A destination on a slow disk
   * then never delays a flush of the ledger. A thread takes about 13 MB. `close` of these ports closes it too.
   */
  withOwnDisk(): OwnPorts;
  /** The same for who can wait: its writes go through the thread pool, and it needs no thread. */
  withPatientDisk(): OwnPorts;
  /** Where observers are added. */
  readonly observers: Observers;
  /** Changes how much is logged from now on. */
  setLogLevel(level: LogLevel): void;
  /** Ends every thread and connection, then writes what the log still holds. Everything opened through the ports must be closed before. */
  close(): Promise<void>;
}

/** Ports whose disk is their own. */
export interface OwnPorts extends Ports {
  /** Ends the thread of that disk. Everything opened through it must be closed before. */
  closeOwn(): Promise<void>;
}

/** Opens everything that is outside the process. Threads start when they are first needed. */
export async function openPorts(options: PortsOptions): Promise<OpenPorts> {
  const log = openLog(options.logLevel);
  const http = openHttp();
  const background = options.jobs === undefined ? null : openBackground(options.jobs);
  const ownDisk = openDisk();
  const disks = new Set([ownDisk]);
  const ports: Ports = {
    clock: openClock(),
    random: openRandom(),
    disk: ownDisk,
    files: foreignFiles,
    http,
    output: openOutput(),
    background: background ?? NO_BACKGROUND,
    log,
  };
  const withDisk = (disk: ReturnType<typeof openDisk>): OwnPorts => {
    disks.add(disk);
    return {
      ...ports,
      disk,
      async closeOwn() {
        await disk.close();
        disks.delete(disk);
      },
    };
  };
  return {
    ...ports,
    observers: createObservers(),
    withOwnDisk: () => withDisk(openDisk()),
    withPatientDisk: () => withDisk(openDisk('pool')),
    setLogLevel: (level) => log.setLevel(level),
    async close() {
      await Promise.all([...[...disks].map((disk) => disk.close()), http.close(), background?.close()]);
      log.close();
    },
  };
}

const NO_BACKGROUND: Background = {
  async run(job) {
    assert(false, `the job ${job} was asked for, and no jobs were given`);
  },
};
