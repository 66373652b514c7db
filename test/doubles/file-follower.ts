import { getEventListeners } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { SourceNote } from '../../src/contracts/source.ts';
import type { Position } from '../../src/contracts/units.ts';
import { foreignFiles } from '../../src/runtime/files.ts';
import { file } from '../../src/sources/file.ts';
import { CountingRandom, ListLog, ManualClock } from './manual-ports.ts';

/** What came of a file source, as a ledger would have it. */
export class FileFollower {
  readonly clock = new ManualClock();
  readonly log = new ListLog();
  /** Every line in the order in which it came, with its partition. */
  readonly lines: { readonly partition: string; readonly text: string; readonly fault: string | undefined }[] = [];
  readonly notes: SourceNote[] = [];
  readonly positions: Map<string, Position>;
  readonly #stop = new AbortController();
  readonly #random: CountingRandom;
  #running: Promise<void> = Promise.resolve();
  #source: Awaited<ReturnType<NonNullable<typeof file.open>>> | null = null;

  private constructor(positions: ReadonlyMap<string, Position>, random: CountingRandom) {
    this.positions = new Map(positions);
    this.#random = random;
  }

  /** Begins to follow real files, on a clock that the test moves, and waits for the first look. */
  static async start(settings: object, before?: FileFollower): Promise<FileFollower> {
    const follower = new FileFollower(before?.positions ?? new Map(), before === undefined ? new CountingRandom() : before.#random);
    const config = file.config.safeParse(settings);
    if (!config.success) throw new Error(JSON.stringify(config.error.issues));
    const { clock, log } = follower;
    const ports = { files: foreignFiles, clock, log, random: follower.#random };
    follower.#source = (await file.open?.(config.data, { name: 'logs', ports: ports as never })) ?? null;
    follower.#running = follower.#run();
    await follower.idle();
    return follower;
  }

  /** The texts of the lines. */
  texts(): string[] {
    return this.lines.map(({ text }) => text);
  }

  facts() {
    return this.#source?.facts?.();
  }

  /** How many wait for the end. */
  waiting(): number {
    return getEventListeners(this.#stop.signal, 'abort').length;
  }

  /** Lets time pass, then everything that is to be done is done. */
  async pass(ms = 250): Promise<void> {
    await this.clock.pass(ms);
    await this.idle();
  }

  /** Waits until there is nothing to do but to wait. */
  async idle(): Promise<void> {
    let failed: unknown = null;
    this.#running.catch((error: unknown) => (failed = error));
    while (this.clock.sleeping() === 0 && failed === null) await setTimeout(1);
    if (failed !== null) throw failed;
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('stop'));
    await this.#running;
  }

  async #run(): Promise<void> {
    for await (const batch of this.#source?.batches(this.positions, this.#stop.signal) ?? []) {
      const { partition, position, events, notes = [], closes = false } = batch;
      this.notes.push(...notes);
      for (const { bytes, start, end, fault } of events) {
        const text = Buffer.from(bytes.subarray(start, end)).toString();
        this.lines.push({ partition: partition ?? '', text, fault: fault?.code });
      }
      if (closes) this.positions.delete(partition ?? '');
      else if (position !== null) this.positions.set(partition ?? '', position);
      await batch.settle('accepted');
    }
  }
}

/** A directory that is removed after the test. */
export function directoryOf(t: TestContext): string {
  const directory = mkdtempSync(`${tmpdir()}/waybill-file-source-`);
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Follows `app.log*` in a directory until the test ends. */
export async function follow(t: TestContext, directory: string, settings: object = {}, before?: FileFollower): Promise<FileFollower> {
  const follower = await FileFollower.start({ paths: [`${directory}/app.log*`], ...settings }, before);
  t.after(() => follower.stop());
  return follower;
}

/** Lines with the numbers from one up to another. */
export const numbered = (from: number, to: number, pad = ''): string =>
  Array.from({ length: to - from }, (_, k) => `{"k":${from + k}${pad}}\n`).join('');
/** The same as the texts of events. */
export const texts = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, k) => `{"k":${from + k}}`);
