import type { Clock, Disk, DiskFile, Log, LogFacts, Ports, Random } from '../../src/contracts/ports.ts';

/** A clock that moves only when a test says so. */
export class ManualClock implements Clock {
  wall = Date.UTC(2026, 10, 24, 11, 8, 9, 123);
  #monotonic = 1_000;
  readonly #sleepers: { readonly until: number; wake(): void }[] = [];

  now(): number {
    return this.wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error);
      const stop = (): void => {
        this.#sleepers.splice(this.#sleepers.indexOf(sleeper), 1);
        reject(signal?.reason as Error);
      };
      const wake = (): void => {
        signal?.removeEventListener('abort', stop);
        resolve();
      };
      const sleeper = { until: this.#monotonic + ms, wake };
      this.#sleepers.push(sleeper);
      signal?.addEventListener('abort', stop, { once: true });
    });
  }

  /** How many wait. */
  sleeping(): number {
    return this.#sleepers.length;
  }

  /** Lets time pass on both clocks, wakes whoever has slept long enough, and lets them run. */
  async pass(ms: number): Promise<void> {
    this.wall += ms;
    this.#monotonic += ms;
    for (const sleeper of this.#sleepers.slice()) {
      if (sleeper.until > this.#monotonic) continue;
      this.#sleepers.splice(this.#sleepers.indexOf(sleeper), 1);
      sleeper.wake();
    }
    await settle();
  }
}

/** Lets everything run that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Chance that is the same in every run. */
export class CountingRandom implements Random {
  #state = 1;

  next(): number {
    this.#state = (Math.imul(this.#state, 1_103_515_245) + 12_345) >>> 0;
    return this.#state / 0x1_0000_0000;
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => Math.floor(this.next() * 256));
  }
}

/** Log lines in a list. */
export class ListLog implements Log {
  readonly lines: { readonly level: string; readonly message: string; readonly facts: LogFacts | undefined }[] = [];

  info(message: string, facts?: LogFacts): void {
    this.lines.push({ level: 'info', message, facts });
  }

  warn(message: string, facts?: LogFacts): void {
    this.lines.push({ level: 'warn', message, facts });
  }

  error(message: string, facts?: LogFacts): void {
    this.lines.push({ level: 'error', message, facts });
  }
}

/** Files in memory, for code that keeps a few of them. A name counts only after `syncDirectory`: `crash` takes the others away. */
export class SimpleDisk implements Disk {
  readonly files = new Map<string, Buffer>();
  #named = new Map<string, Buffer>();
  /** What the next calls of `open` reject with. */
  failure: Error | null = null;

  async open(path: string, mode: 'create' | 'existing' | 'read'): Promise<DiskFile> {
    if (this.failure !== null) throw this.failure;
    if (mode === 'create' && !this.files.has(path)) this.files.set(path, Buffer.alloc(0));
    return this.#file(path);
  }

  async list(directory: string): Promise<readonly string[]> {
    const names = [...this.files.keys()].filter((path) => path.startsWith(`${directory}/`));
    return names.map((path) => path.slice(directory.length + 1)).toSorted();
  }

  async length(path: string): Promise<number | null> {
    return this.files.get(path)?.length ?? null;
  }

  async makeDirectory(): Promise<void> {}

  async rename(from: string, to: string): Promise<void> {
    this.files.set(to, this.files.get(from) ?? Buffer.alloc(0));
    this.files.delete(from);
  }

  async remove(path: string): Promise<void> {
    this.files.delete(path);
  }

  async syncDirectory(): Promise<void> {
    this.#named = new Map(this.files);
  }

  async available(): Promise<number> {
    return Number.MAX_SAFE_INTEGER;
  }

  async lock(): Promise<{ release(): Promise<void> }> {
    return { release: async () => undefined };
  }

  /** The disk after a loss of power. */
  crash(): SimpleDisk {
    const after = new SimpleDisk();
    for (const [path, bytes] of this.#named) after.files.set(path, bytes);
    return after;
  }

  #file(path: string): DiskFile {
    const bytes = () => this.files.get(path) ?? Buffer.alloc(0);
    const write = async (piece: Uint8Array, at: number) => {
      const longer = Buffer.alloc(Math.max(bytes().length, at + piece.length));
      bytes().copy(longer);
      longer.set(piece, at);
      this.files.set(path, longer);
    };
    return {
      length: async () => bytes().length,
      read: async (at, length) => bytes().subarray(at, at + length),
      readNow: (into, at) => bytes().copy(into, 0, at),
      write,
      sync: async () => undefined,
      commit: write,
      truncate: async (length) => {
        this.files.set(path, Buffer.from(bytes().subarray(0, length)));
      },
      close: async () => undefined,
    };
  }
}

/** Ports that a test moves by hand. */
export function manualPorts() {
  const ports = { clock: new ManualClock(), random: new CountingRandom(), disk: new SimpleDisk(), log: new ListLog() };
  return ports satisfies Pick<Ports, 'clock' | 'random' | 'disk' | 'log'>;
}
