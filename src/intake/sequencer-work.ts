import type { Fault } from '../contracts/entry.ts';
import type { FaultCode } from '../contracts/faults.ts';
import { isKeepable } from '../contracts/faults.ts';
import { ENTRY_BYTES_MAX } from '../contracts/units.ts';
import type { Checked } from './checked.ts';
import type { Envelope, EventColumns } from './envelope.ts';
import { entryBytesMax, faultsTail } from './envelope.ts';
import { DERIVED_ID_BYTES, deriveId } from './envelope-id.ts';
import type { SourceNames } from './names.ts';
import type { SourceRules, Submission } from './sequencer-submission.ts';

/** A submission as the sequencer works on it: everything that does not depend on what the ledger holds. */
export interface Work {
  readonly source: string;
  readonly count: number;
  readonly envelope: Envelope;
  readonly columns: EventColumns;
  readonly producers: Checked['producers'];
  /** What is wrong with the events that cannot become entries whatever the ledger holds. */
  readonly refused: ReadonlyMap<number, readonly Fault[]>;
  /** The most bytes that the entries can have together. */
  readonly bytesMax: number;
}

/** The most bytes of fault texts that are kept with an event, so that an event of the largest size still fits its entry. */
const KEPT_FAULTS_BYTES = 512;

/** Prepares a submission. */
export function prepareWork(submission: Submission, rules: SourceRules, names: Pick<SourceNames, 'first'>): Work {
  const { source, checked, partition = null, positions = null } = submission;
  const envelope: Envelope = { source, schema: rules.schema, partition, positions };
  const refused = new Map<number, readonly Fault[]>();
  const keptTails = new Map<number, string>();
  for (const [at, faults] of checked.faults) {
    if (rules.onInvalid === 'keep' && faults.every(({ code }) => isKeepable(code))) keptTails.set(at, faultsTail(faultsText(faults)));
    else refused.set(at, faults);
  }
  const columns = {
    bytes: asBuffer(checked.bytes),
    starts: checked.starts,
    ends: checked.ends,
    ...identityColumns(submission, names),
    keptTails,
  };
  const sizes = entryBytesMax(envelope, columns, checked.count);
  let bytesMax = 0;
  for (let at = 0; at < checked.count; at++) {
    const size = sizes[at] as number;
    if (refused.size > 0 && refused.has(at)) continue;
    if (size > ENTRY_BYTES_MAX) refused.set(at, [fault('ENTRY_TOO_LARGE', `the entry would have ${size} bytes, of ${ENTRY_BYTES_MAX}`)]);
    else bytesMax += size;
  }
  return { source, count: checked.count, envelope, columns, producers: checked.producers, refused, bytesMax };
}

/** A fault of an event as a whole. */
export function fault(code: FaultCode, message: string): Fault {
  return { path: '', code, message };
}

/** The bytes as a Buffer over the same memory. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** As many of the faults as fit, the first one always by its code. */
function faultsText(faults: readonly Fault[]): string {
  const texts: string[] = [];
  let bytes = 2;
  for (const { path, code, message } of faults) {
    const text = JSON.stringify({ path, code, message });
    bytes += Buffer.byteLength(text) + 1;
    if (bytes > KEPT_FAULTS_BYTES) break;
    texts.push(text);
  }
  const [first] = faults;
  if (texts.length === 0 && first !== undefined) texts.push(JSON.stringify({ path: '', code: first.code, message: 'see the code' }));
  return `[${texts.join(',')}]`;
}

function identityColumns(
  { source, checked, idempotencyKey }: Submission,
  names: Pick<SourceNames, 'first'>,
): Pick<EventColumns, 'ids' | 'idStarts' | 'idEnds'> {
  const given = { ids: asBuffer(checked.bytes), idStarts: checked.idStarts, idEnds: checked.idEnds };
  if (idempotencyKey === undefined) return given;
  // The same request has the same identities after its source was renamed.
  return derivedIdentities(given, names.first(source), checked.count, idempotencyKey);
}

/** All identities, given and derived, in memory of their own. */
function derivedIdentities(given: Pick<EventColumns, 'ids' | 'idStarts' | 'idEnds'>, source: string, count: number, key: string) {
  const idStarts = new Uint32Array(count);
  const idEnds = new Uint32Array(count);
  let bytes = 0;
  for (let at = 0; at < count; at++) {
    const length = (given.idEnds[at] as number) - (given.idStarts[at] as number);
    idStarts[at] = bytes;
    bytes += length === 0 ? DERIVED_ID_BYTES : length;
    idEnds[at] = bytes;
  }
  const ids = Buffer.allocUnsafe(bytes);
  for (let at = 0; at < count; at++) {
    const start = given.idStarts[at] as number;
    const end = given.idEnds[at] as number;
    if (end > start) given.ids.copy(ids, idStarts[at], start, end);
    else ids.write(deriveId(source, key, at), idStarts[at] as number, 'latin1');
  }
  return { ids, idStarts, idEnds };
}
