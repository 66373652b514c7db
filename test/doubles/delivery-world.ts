import type { Codec } from '../../src/contracts/codec.ts';
import type { Ports } from '../../src/contracts/ports.ts';
import type { Index } from '../../src/contracts/units.ts';
import { type ControlEntry, type Destination, type DestinationOptions, openDestination } from '../../src/delivery/destination.ts';
import { journalKey } from '../../src/delivery/records.ts';
import { ModelDestination } from './delivery-sinks.ts';
import { manualPorts, settle } from './manual-ports.ts';
import { MemoryLedger } from './memory-ledger.ts';

const encoder = new TextEncoder();

/** Lines `{"index":…,"entry":…}`: the simplest codec that can be read back. */
export const lines: Codec = {
  type: 'lines',
  contentType: 'application/x-ndjson',
  encode(batch, pick) {
    const places = pick ?? Array.from({ length: batch.count }, (_, k) => k);
    const records = places.map((k) => {
      const entry = Buffer.from(batch.bytes.subarray(batch.starts[k], batch.ends[k])).toString();
      return encoder.encode(`{"index":${batch.first + k},"entry":${entry}}\n`);
    });
    const offsets = new Uint32Array(records.length + 1);
    for (const [k, record] of records.entries()) offsets[k + 1] = (offsets[k] as number) + record.length;
    return { bytes: Buffer.concat(records), offsets, count: records.length };
  },
};

/** A ledger, a clock and one destination: everything that delivery meets, in memory and moved by hand. */
export class DeliveryWorld {
  ledger = new MemoryLedger();
  readonly ports = manualPorts();
  readonly control: ControlEntry[] = [];
  /** Keys of control entries that are in the ledger. */
  readonly #keys = new Set<string>();

  /** Appends entries of an ordinary source. */
  async fill(count: number): Promise<void> {
    for (let k = 0; k < count; k++) await this.#append('app', { at: this.ledger.assigned() });
  }

  /** Appends one control entry. */
  async control_(type: string, facts: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#append('waybill', { type, ...facts });
  }

  /** Every entry that is durable, as it lies in the ledger. */
  async entries(): Promise<readonly Uint8Array[]> {
    const { bytes, starts, ends, count } = await this.ledger.read(0 as Index, { entries: 1 << 20, bytes: 1 << 30 });
    return Array.from({ length: count }, (_, k) => bytes.slice(starts[k], ends[k]));
  }

  /** Opens a destination of the model; `options` say what differs. */
  open(model: ModelDestination, options: Partial<DestinationOptions> = {}): Destination {
    return openDestination({
      name: 'lake',
      origin: 'test.example/log',
      ledger: this.ledger,
      openSink: async () => model.open(),
      codec: lines,
      start: 'beginning',
      emitControl: (entry) => this.emit(entry),
      ports: this.ports as unknown as Ports,
      ...options,
    });
  }

  /** Appends a control entry once for its key, as the intake does. */
  async emit(entry: ControlEntry): Promise<void> {
    if (this.#keys.has(entry.key)) return;
    this.#keys.add(entry.key);
    this.control.push(entry);
    await this.control_(entry.type, entry.facts);
  }

  /** Goes on with what is durable, as after a loss of power. */
  crash(): void {
    this.ledger = this.ledger.crash();
  }

  async #append(source: string, event: unknown): Promise<Index> {
    const envelope = { v: 1, source, n: this.ledger.sequence(source), partition: null, position: null, event };
    const bytes = encoder.encode(JSON.stringify(envelope));
    const run = { source, partition: null, position: null, bytes, offsets: Uint32Array.of(0, bytes.length), count: 1 };
    const room = await this.ledger.reserve(1, bytes.length, 'control');
    const appended = this.ledger.append(run, this.ledger.assigned(), room);
    this.ledger.flush();
    return appended;
  }
}

/** Lets time pass in small steps until a condition holds; fails when it never does. */
export async function until(world: DeliveryWorld, condition: () => boolean, what: string): Promise<void> {
  for (let turn = 0; turn < 200; turn++) {
    await settle();
    if (condition()) return;
    await world.ports.clock.pass(250);
  }
  throw new Error(`it never came true that ${what}`);
}

/**
 * A process that died while it sent the last of so many batches, and nobody knows what became of that one. `before` happens in the moment
 * before its death. Whoever asks for it closes what is left of the dead.
 */
export async function diedInDoubt(
  entries: number,
  batches = 1,
  before: (world: DeliveryWorld) => void = () => {},
): Promise<{ readonly world: DeliveryWorld; readonly model: ModelDestination; readonly dead: Destination }> {
  const world = new DeliveryWorld();
  await world.fill(entries);
  const model = new ModelDestination({ dedupe: 'none' });
  for (let taken = 1; taken < batches; taken++) model.script.push('take');
  model.script.push('hang');
  const dead = world.open(model);
  await until(world, () => model.attempts.length === batches, 'the last batch is in flight');
  before(world);
  world.crash();
  return { world, model, dead };
}

/** The indexes below `count`. */
export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, k) => k);
}

/** Waits until the destination has everything. */
export async function caughtUp(world: DeliveryWorld, destination: Destination): Promise<void> {
  await until(world, () => destination.status().lag === 0, 'the destination has caught up');
}

/** The journal entries of the destination, parsed. */
export function journalOf(world: DeliveryWorld): { readonly type: string; readonly [field: string]: unknown }[][] {
  return world.ledger.journal.load(journalKey('lake')).records.map((text) => (JSON.parse(text) as never[]).slice(1));
}
