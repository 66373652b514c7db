import { assert } from '../contracts/assert.ts';
import type { Ledger } from '../contracts/ledger.ts';
import type { Index } from '../contracts/units.ts';
import { asIndex, asSize, CONTROL_SOURCE, EVENT_BYTES_MAX, IDENTITY_BYTES_MAX } from '../contracts/units.ts';
import type { EnvelopeWriter } from './envelope.ts';
import { entryBytesMax } from './envelope.ts';
import type { IdMaker } from './envelope-id.ts';
import type { ReceivedAt } from './received-at.ts';
import type { IntakeFold } from './sequencer-fold.ts';
import { controlId, observeControl } from './sequencer-fold.ts';

/** A fact about the pipeline itself, for the ledger. */
export interface ControlFact {
  readonly type: string;
  readonly facts: Readonly<Record<string, unknown>>;
  /** The same fact has the same key, also after a crash: it is written once. */
  readonly key?: string;
  /** The positions of a source go to its new name with this entry. */
  readonly moves?: { readonly from: string; readonly to: string };
}

/** Writes the entries of source `waybill`. */
export interface ControlEntries {
  /** Appends a fact and resolves with its index once it is durable. It may use the reserved part of the ledger. */
  append(fact: ControlFact): Promise<Index>;
}

interface ControlOptions {
  readonly ledger: Pick<Ledger, 'append' | 'assigned' | 'sequence' | 'reserve'>;
  readonly writer: EnvelopeWriter;
  readonly receivedAt: ReceivedAt;
  readonly ids: IdMaker;
  readonly fold: IntakeFold;
}

const ENVELOPE = { source: CONTROL_SOURCE, schema: 'waybill/control', partition: null, positions: null };

/** Makes the writer of control entries. */
export function createControlEntries({ ledger, writer, receivedAt, ids, fold }: ControlOptions): ControlEntries {
  /** Facts with a key that are on their way. */
  const inFlight = new Map<string, Promise<Index>>();

  async function write(id: string, { type, facts, moves }: ControlFact): Promise<Index> {
    const event = { type, ...facts };
    const columns = columnsOf(id, JSON.stringify(event));
    assert((columns.ends[0] as number) <= EVENT_BYTES_MAX, `a control entry of type ${type} fits an entry`);
    const bytesMax = entryBytesMax(ENVELOPE, columns, 1)[0] as number;
    const room = await ledger.reserve(1, bytesMax, 'control');
    // From here to `append` nothing may wait: number and place belong together.
    const n = ledger.sequence(CONTROL_SOURCE);
    const run = writer.write(ENVELOPE, columns, { places: new Uint32Array(1), count: 1, n }, receivedAt.next(), bytesMax);
    const { bytes, offsets } = run;
    const first = asIndex(ledger.assigned());
    const appended = ledger.append(
      { source: CONTROL_SOURCE, partition: null, position: null, ...(moves === undefined ? {} : { moves }), bytes, offsets, count: 1 },
      asSize(first),
      room,
    );
    const durable = ledger.assigned() === first + 1 ? fold.numbered(first, 1, [observeControl(first, id, event)]) : null;
    await appended;
    durable?.();
    return first;
  }

  return {
    async append(fact) {
      if (fact.key === undefined) return write(ids.text(), fact);
      const id = controlId(fact.type, fact.key);
      const done = fold.controlEntry(id);
      if (done !== undefined) return done;
      const writing = inFlight.get(id) ?? write(id, fact).finally(() => inFlight.delete(id));
      inFlight.set(id, writing);
      return writing;
    },
  };
}

function columnsOf(id: string, event: string) {
  const idText = JSON.stringify(id).slice(1, -1);
  const ids = Buffer.from(idText);
  assert(ids.length <= IDENTITY_BYTES_MAX, `the key of a control entry has at most ${IDENTITY_BYTES_MAX} bytes`);
  const bytes = Buffer.from(event);
  return {
    bytes,
    starts: new Uint32Array(1),
    ends: new Uint32Array([bytes.length]),
    ids,
    idStarts: new Uint32Array(1),
    idEnds: new Uint32Array([ids.length]),
    keptTails: new Map<number, string>(),
  };
}
