import { hash } from 'node:crypto';
import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import type { Signer } from '../contracts/heads.ts';
import type { Ports } from '../contracts/ports.ts';
import { cosignatureMessage, encodeCosignature } from '../tlog/cosignature.ts';
import { TlogError } from '../tlog/error.ts';
import { parseVerifierKey } from '../tlog/key.ts';
import { formatNote, formatSignature, type NoteSignature } from '../tlog/note.ts';
import { type AddRequest, parseAddRequest } from './add-request.ts';
import { checkEd25519, sha256 } from './ed25519.ts';
import { type Refusal, refuseBranch, refuseForeign, type WatchedLog } from './judge.ts';
import { readState, type SignedHead, type SignedHeads, stateFile, writeState } from './state-file.ts';

/** What a witness is asked for, and what it needs. */
export interface WitnessParts {
  /** The directory of its state. `createWitness` makes it. */
  readonly directory: string;
  /** The key of cosignatures, whose name is that of the witness. */
  readonly signer: Signer;
  readonly logs: readonly WatchedLog[];
  readonly ports: Pick<Ports, 'clock' | 'disk' | 'log'>;
}

/** What `add` says: the cosignature line, why there is none, or that there is none for now. */
export type AddAnswer =
  | { readonly kind: 'signed'; readonly line: string }
  | Refusal
  | { readonly kind: 'unavailable'; readonly reason: string };

/** A witness of C2SP tlog-witness: for each log it signs heads that continue the one it signed before, and no others. */
export interface Witness {
  /** The body of `add-checkpoint`. What is `signed` was durable before. */
  add(body: Uint8Array): Promise<AddAnswer>;
  /**
   * The newest head that was signed for the log whose origin has this SHA-256 in hexadecimal digits: a whole note; `null` where there is
   * none.
   */
  checkpoint(originSha256: string): string | null;
  /** Resolves with the reason once it can sign no more. */
  readonly failed: Promise<unknown>;
  /** Waits for what is being signed and frees the directory. */
  close(): Promise<void>;
}

/** Makes the directory and the empty state of a new witness. False, and nothing is changed, where there is a state already. */
export async function createWitness({
  directory,
  name,
  ports,
}: {
  directory: string;
  name: string;
  ports: Pick<Ports, 'disk'>;
}): Promise<boolean> {
  await ports.disk.makeDirectory(directory);
  // A witness that runs has one, and holds the lock.
  if ((await ports.disk.length(stateFile(directory))) !== null) return false;
  const lock = await takeLock(directory, ports);
  try {
    if ((await ports.disk.length(stateFile(directory))) !== null) return false;
    await writeState(ports.disk, directory, name, new Map());
    return true;
  } finally {
    await lock.release();
  }
}

/** Opens a witness. Rejects with `WITNESS_MISSING`, `WITNESS_INVALID` or `WITNESS_LOCKED`. */
export async function openWitness(parts: WitnessParts): Promise<Witness> {
  const { directory, signer, ports } = parts;
  const { name } = parseVerifierKey(sha256, signer.verifierKey);
  if ((await ports.disk.length(stateFile(directory))) === null) {
    throw new WaybillError('WITNESS_MISSING', `there is no state of a witness at ${stateFile(directory)}`);
  }
  const lock = await takeLock(directory, ports);
  try {
    return new OpenWitness(parts, await readState(ports.disk, directory, name), lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

class OpenWitness implements Witness {
  readonly #parts: WitnessParts;
  readonly #logs: ReadonlyMap<string, WatchedLog>;
  readonly #lock: { release(): Promise<void> };
  readonly #failure = Promise.withResolvers<unknown>();
  readonly #key;
  #heads: SignedHeads;
  #origins: ReadonlyMap<string, string>;
  #broken = false;
  /** One request after the other looks at what was signed and changes it. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: WitnessParts, heads: SignedHeads, lock: { release(): Promise<void> }) {
    this.#parts = parts;
    this.#logs = new Map(parts.logs.map((log) => [log.origin, log]));
    this.#heads = heads;
    this.#origins = originsOf(heads);
    this.#lock = lock;
    this.#key = parseVerifierKey(sha256, parts.signer.verifierKey);
  }

  get failed(): Promise<unknown> {
    return this.#failure.promise;
  }

  checkpoint(originSha256: string): string | null {
    return this.#heads.get(this.#origins.get(originSha256) ?? '')?.note ?? null;
  }

  async add(body: Uint8Array): Promise<AddAnswer> {
    let request: AddRequest;
    try {
      request = parseAddRequest(body);
    } catch (error) {
      if (error instanceof TlogError) return { kind: 'refused', status: 400, reason: error.reason };
      throw error;
    }
    const log = this.#logs.get(request.checkpoint.origin);
    const foreign = refuseForeign(request, log, checkEd25519);
    if (foreign !== null || log === undefined) return foreign ?? { kind: 'refused', status: 404, reason: 'the log is not known here' };
    const turn = this.#turn.then(() => this.#sign(request, log));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#lock.release();
  }

  /** In its turn: nobody else looks at the heads before this one is durable. */
  async #sign(request: AddRequest, log: WatchedLog): Promise<AddAnswer> {
    if (this.#broken) return { kind: 'unavailable', reason: 'the witness can write no more' };
    const { note, checkpoint } = request;
    const { origin } = log;
    const before = this.#heads.get(origin) ?? null;
    const branch = refuseBranch(sha256, request, before?.checkpoint ?? null);
    if (branch !== null) {
      this.#report(branch, request);
      return branch;
    }
    // The time is the clock's, also where the clock was set back: a wrong time must not stay for ever.
    const time = Math.max(0, Math.floor(this.#parts.ports.clock.now() / 1_000));
    try {
      const signature = await this.#parts.signer.sign(cosignatureMessage(time, note.text));
      const own: NoteSignature = { name: this.#key.name, id: this.#key.id, bytes: encodeCosignature({ time, signature }) };
      const head: SignedHead = { checkpoint, note: formatNote(note.text, [...linesOf(log, request), own]) };
      // Who sends a head that everybody can see again and again does not make the disk work for each.
      if (before === null || before.note !== head.note) await this.#keep(new Map(this.#heads).set(origin, head));
      return { kind: 'signed', line: formatSignature(own) };
    } catch (error) {
      return this.#unavailable(error);
    }
  }

  /** What was signed is durable before anybody is shown it. */
  async #keep(heads: SignedHeads): Promise<void> {
    const { directory, ports } = this.#parts;
    await writeState(ports.disk, directory, this.#key.name, heads);
    this.#heads = heads;
    this.#origins = originsOf(heads);
  }

  #unavailable(error: unknown): AddAnswer {
    if (!isWaybillError(error)) throw error;
    const { log } = this.#parts.ports;
    log.error('nothing was signed', { code: error.code, message: error.message });
    if (error.remedy === 'retry') return { kind: 'unavailable', reason: 'the witness cannot sign for now' };
    // After a write that failed nobody knows what the disk holds: only a start finds out.
    this.#broken = true;
    this.#failure.resolve(error);
    return { kind: 'unavailable', reason: 'the witness can write no more' };
  }

  /** A signed head that does not continue the last one is evidence against the log, and is kept where operators look. */
  #report(branch: Refusal, { old, note, checkpoint: { origin, size } }: AddRequest): void {
    if (branch.kind === 'conflict') return;
    const { reason } = branch;
    this.#parts.ports.log.warn('a log signed a head that was not shown to continue its last one', {
      origin,
      old,
      size,
      reason,
      checkpoint: formatNote(note.text, note.signatures),
      signed: this.#heads.get(origin)?.note ?? null,
    });
  }
}

/** The lines of the log itself, which were checked. Those of others say nothing to whoever trusts this witness. */
function linesOf(log: WatchedLog, { note }: AddRequest): readonly NoteSignature[] {
  return note.signatures.filter((line) => log.keys.some((key) => key.name === line.name && key.id === line.id));
}

function originsOf(heads: SignedHeads): ReadonlyMap<string, string> {
  return new Map([...heads.keys()].map((origin) => [hash('sha256', origin), origin]));
}

async function takeLock(directory: string, { disk }: Pick<Ports, 'disk'>): Promise<{ release(): Promise<void> }> {
  try {
    return await disk.lock(`${directory}/lock`);
  } catch (error) {
    if (!isWaybillError(error) || error.code !== 'LEDGER_LOCKED') throw error;
    throw new WaybillError('WITNESS_LOCKED', `another process uses the witness in ${directory}`, { cause: error });
  }
}
