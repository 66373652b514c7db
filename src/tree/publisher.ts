import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import type { Heads, LogKey, PublishedHead, Signer, TreeHashes } from '../contracts/heads.ts';
import type { Ledger } from '../contracts/ledger.ts';
import type { Ports } from '../contracts/ports.ts';
import { asSize, type Index } from '../contracts/units.ts';
import { TlogError } from '../tlog/error.ts';
import { changeFreshness, type DeclareKey, declareHandover, type Handover, type KeyPlan, planKeys, recordHandover } from './handover.ts';
import { HeadBoard } from './head-board.ts';
import { freshAt, headOf, noteOf, signHead, verifyHead, withLines } from './head-note.ts';
import { type HeadRecord, type KeyRanges, readHead, recordHead } from './head-register.ts';
import type { LogSigners } from './key-store.ts';
import type { Witnesses, WitnessStatus } from './witnesses.ts';

/** How long nothing may be new before the newest head is made fresh. */
const FRESH_MS = 60_000;
/** How often the tree is looked at while it has not got as far as it has to. */
const LOOK_MS = 25;
/** The longest pause before a head that could not be published is tried again. */
const RETRY_MS = 10_000;
/** How long a stop waits for the tree, so that what was accepted last is under a head. */
const SEAL_MS = 2_000;

/** What heads are made of. */
export interface HeadsOptions {
  readonly ledger: Pick<Ledger, 'origin' | 'size' | 'waitBeyond' | 'register'>;
  readonly tree: Pick<TreeHashes, 'size' | 'root'>;
  readonly signers: LogSigners;
  readonly ports: Pick<Ports, 'clock' | 'log'>;
  /** How long there is no other head after one, while entries come in. */
  readonly publishMs: number;
  readonly witnesses: Witnesses;
  /** Makes the key that took over the one that is loaded first. */
  readonly adoptKey: () => Promise<void>;
  /** Is told of every head with entries that were under none before. */
  readonly onPublished?: (head: PublishedHead, before: PublishedHead | null) => void;
}

/** Heads as an operator sees them. */
export interface HeadsStatus {
  readonly published: { readonly size: number; readonly root: string; readonly at: string } | null;
  readonly keys: readonly { readonly verifier_key: string; readonly from: number; readonly through: number | null }[];
  readonly freshness_key: string;
  readonly witnesses: readonly WitnessStatus[];
  /** Why there is no newer head; `null` while all is well. */
  readonly fault: { readonly code: string; readonly message: string; readonly action: string } | null;
}

/** Heads that are published. */
export interface OpenHeads extends Heads {
  status(): HeadsStatus;
  /** Declares keys that took over by control entries. Until then no key takes over. Called once, when entries can be written. */
  declareKeys(declare: DeclareKey): Promise<void>;
  /** Resolves with the reason once the recorded head and the tree do not agree, and never otherwise: nothing was signed then. */
  readonly failed: Promise<Error>;
  /** Publishes a last head over everything that is durable, as far as that can be done soon, and stops. */
  close(): Promise<void>;
}

/**
 * Signs, records and publishes the heads of the tree, in this order and off the acknowledgement path. Rejects with `LEDGER_REWOUND` when
 * the recorded head has more entries than the ledger, with `LEDGER_CORRUPT` when it is another one than the tree has, and with
 * `KEY_FOREIGN`. A tree that has not got as far as the recorded head is compared with it as soon as it has, before anything is signed.
 */
export async function openHeads(options: HeadsOptions): Promise<OpenHeads> {
  const { ledger, tree, signers, witnesses, ports } = options;
  const recorded = readHead(ledger.register);
  if (recorded !== null && recorded.size > ledger.size()) {
    throw new WaybillError('LEDGER_REWOUND', `a head over ${recorded.size} entries was signed, and the ledger has ${ledger.size()}`);
  }
  const plan = await planKeys(ledger.register, signers);
  if (recorded !== null) {
    verifyRecorded(recorded, plan);
    if (tree.size() >= recorded.size) await compare(recorded, tree);
  }
  if (witnesses.any) {
    const nothing = { origin: ledger.origin, size: 0, root: await tree.root(asSize(0)) };
    const shown = recorded?.checkpoint ?? (await signHead(nothing, { log: [plan.log], freshness: signers.freshness }, ports.clock.now()));
    await witnesses.refuseRewound(shown, ledger.size(), tree.size() >= (recorded?.size ?? 0));
  }
  return new Publisher(options, recorded, plan);
}

class Publisher implements OpenHeads {
  readonly #options: HeadsOptions;
  readonly #board = new HeadBoard();
  readonly #failed = Promise.withResolvers<Error>();
  readonly failed: Promise<Error> = this.#failed.promise;
  readonly #running: Promise<void>;
  /** Resolves once an entry declares the key that takes over, with its index; with `null` when no key does. */
  readonly #declared = Promise.withResolvers<Index | null>();
  #signed: HeadRecord | null;
  #ranges: KeyRanges;
  #log: Signer;
  #handover: Handover | null;
  #adopts: boolean;
  #fault: WaybillError | null = null;
  #resumed = false;
  #closing = false;
  /** Ends what is waited for now. */
  #wake: (() => void) | null = null;
  #turnAt = Number.NEGATIVE_INFINITY;

  constructor(options: HeadsOptions, recorded: HeadRecord | null, { ranges, log, handover, adopts }: KeyPlan) {
    this.#options = options;
    this.#signed = recorded;
    this.#ranges = ranges;
    this.#log = log;
    this.#handover = handover;
    this.#adopts = adopts;
    if (handover === null) this.#declared.resolve(null);
    this.#running = this.#run().catch((error: unknown) => {
      this.#failed.resolve(error instanceof Error ? error : new Error(String(error)));
    });
  }

  published(): PublishedHead | null {
    return this.#board.published();
  }

  waitCovering(...[size, signal]: Parameters<Heads['waitCovering']>): Promise<PublishedHead> {
    return this.#board.waitCovering(size, signal);
  }

  waitNewer(...[seen, signal]: Parameters<Heads['waitNewer']>): Promise<PublishedHead> {
    return this.#board.waitNewer(seen, signal);
  }

  keys(): readonly LogKey[] {
    return this.#ranges.log;
  }

  policy(): string {
    return this.#options.witnesses.policyText(this.#ranges.log.map(({ verifierKey }) => verifierKey));
  }

  status(): HeadsStatus {
    const head = this.#board.published();
    const fault = this.#fault;
    return {
      published: head === null ? null : { size: head.size, root: head.root, at: new Date(head.at).toISOString() },
      keys: this.#ranges.log.map(({ verifierKey, from, through }) => ({ verifier_key: verifierKey, from, through })),
      freshness_key: this.#options.signers.freshness.verifierKey,
      witnesses: this.#options.witnesses.status(),
      fault: fault === null ? null : { code: fault.code, message: fault.message, action: fault.action },
    };
  }

  async declareKeys(declare: DeclareKey): Promise<void> {
    const { ledger, signers, ports } = this.#options;
    this.#ranges = await changeFreshness(ledger.register, signers.freshness, declare, this.#signed?.size ?? 0);
    if (this.#adopts) await this.#adopt();
    if (this.#handover === null) return;
    const index = await declareHandover(declare, this.#handover);
    ports.log.info('another key takes over', { old: this.#handover.old, new: this.#handover.to.verifierKey, index });
    this.#declared.resolve(index);
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#declared.resolve(null);
    this.#wake?.();
    await this.#running;
    const { ledger, tree, ports } = this.#options;
    if (!this.#resumed || this.#fault !== null || this.#handover !== null) return;
    const until = ports.clock.monotonic() + SEAL_MS;
    while (tree.size() < ledger.size() && ports.clock.monotonic() < until) await ports.clock.sleep(LOOK_MS);
    if (tree.size() > (this.#signed?.size ?? -1)) await this.#attempt();
  }

  async #run(): Promise<void> {
    await this.#resume();
    // No head is signed by the key that takes over before its entry is there to be signed.
    const least = ((await this.#declared.promise) ?? -1) + 1;
    while (!this.#closing && this.#options.tree.size() < least) await this.#wait(LOOK_MS);
    let failures = 0;
    while (!this.#closing) {
      this.#turnAt = this.#options.ports.clock.monotonic();
      failures = (await this.#attempt()) ? 0 : failures + 1;
      if (failures === 0) await this.#waitForWork();
      else await this.#wait(Math.min(RETRY_MS, this.#options.publishMs * 2 ** failures));
    }
  }

  /** Publishes what was recorded, once the tree has shown that it is still the same. */
  async #resume(): Promise<void> {
    const recorded = this.#signed;
    // Where nothing is recorded, as after a restore, the first head covers everything that is there.
    const size = recorded?.size ?? this.#options.ledger.size();
    while (this.#options.tree.size() < size) {
      await this.#wait(LOOK_MS);
      if (this.#closing) return;
    }
    if (recorded !== null) {
      await compare(recorded, this.#options.tree);
      const last = recorded.complete ? recorded.checkpoint : recorded.published;
      if (last !== null) this.#publish(last);
    }
    this.#resumed = true;
  }

  /** One head. Answers whether it was published; if not, why is told, and it is tried again. */
  async #attempt(): Promise<boolean> {
    try {
      await this.#turn();
      if (this.#fault !== null) this.#options.ports.log.info('heads are published again');
      this.#fault = null;
      return true;
    } catch (error) {
      if (!isWaybillError(error) || (error.remedy !== 'retry' && error.code !== 'WITNESS_CONFLICT')) throw error;
      const { code, message } = error;
      // Two histories: whatever is published from here on could be the wrong one.
      if (code === 'WITNESS_CONFLICT') this.#closing = true;
      if (this.#fault?.code !== code) this.#options.ports.log.warn('no newer head can be published', { code, message });
      this.#fault = error;
      return false;
    }
  }

  async #turn(): Promise<void> {
    const { ledger, tree, signers, witnesses, ports } = this.#options;
    const size = tree.size();
    const root = await tree.root(size);
    const unsigned = { origin: ledger.origin, size, root };
    const handover = this.#handover;
    const log = handover === null || handover.lost ? [this.#log] : [this.#log, handover.to];
    const fresh = await signHead(unsigned, { log, freshness: signers.freshness }, ports.clock.now());
    const before = this.#signed;
    const checkpoint = before?.size === size ? withLines(before.checkpoint, noteOf(fresh).signatures) : fresh;
    if (!witnesses.any) {
      await this.#record({ size, root, checkpoint, complete: true, published: null });
      this.#publish(checkpoint);
      return this.#handOver(size, before?.size ?? 0);
    }
    // It leaves this process now, so it is recorded before.
    const published = this.#board.published()?.checkpoint ?? null;
    await this.#record({ size, root, checkpoint, complete: false, published });
    const cosigned = await witnesses.cosign(checkpoint);
    const complete = cosigned.missing === null;
    await this.#record({ size, root, checkpoint: cosigned.checkpoint, complete, published: complete ? null : published });
    if (!complete) throw new WaybillError('HEAD_UNWITNESSED', `not signed by ${cosigned.missing}`);
    this.#publish(cosigned.checkpoint);
    await this.#handOver(size, before?.size ?? 0);
  }

  /** The head over `size` entries, which covers the entry of the handover, is published: from here on the new key signs alone. */
  async #handOver(size: number, before: number): Promise<void> {
    const handover = this.#handover;
    if (handover === null) return;
    this.#ranges = await recordHandover(this.#options.ledger.register, handover, { size, before });
    this.#log = handover.to;
    this.#handover = null;
    await this.#adopt();
  }

  async #adopt(): Promise<void> {
    this.#adopts = false;
    await this.#options.adoptKey();
    this.#options.ports.log.info('the key that took over is the key of the log', { verifier_key: this.#log.verifierKey });
  }

  async #record(record: HeadRecord): Promise<void> {
    await recordHead(this.#options.ledger.register, record);
    this.#signed = record;
  }

  #publish(checkpoint: string): void {
    const before = this.#board.published();
    const { size, root } = headOf(checkpoint);
    const at = freshAt(checkpoint, this.#options.signers.freshness.verifierKey) ?? 0;
    const head = { size: asSize(size), root, checkpoint, at };
    this.#board.publish(head);
    if (size > (before?.size ?? 0)) this.#options.onPublished?.(head, before);
  }

  /** Resolves when the tree has what is under no head, and the last one is long enough ago; or when the last one has to be made fresh. */
  async #waitForWork(): Promise<void> {
    const { ledger, tree, publishMs, ports } = this.#options;
    const size = this.#signed?.size ?? 0;
    const freshAgain = this.#turnAt + FRESH_MS;
    await this.#wait(freshAgain - ports.clock.monotonic(), (signal) => ledger.waitBeyond(asSize(size), signal));
    await this.#wait(this.#turnAt + publishMs - ports.clock.monotonic());
    while (!this.#closing && tree.size() <= size && ports.clock.monotonic() < freshAgain) await this.#wait(LOOK_MS);
  }

  /** Waits for so long, or until something has happened, or until the end. */
  async #wait(ms: number, something?: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
    if (ms <= 0 || this.#closing) return;
    const over = new AbortController();
    this.#wake = () => over.abort(new Error('nobody waits any more'));
    const all = [this.#options.ports.clock.sleep(ms, over.signal), ...(something === undefined ? [] : [something(over.signal)])];
    await Promise.race(all).catch((error: unknown) => {
      if (!over.signal.aborted) throw error;
    });
    this.#wake = null;
    over.abort(new Error('nobody waits any more'));
    await Promise.allSettled(all);
  }
}

function verifyRecorded({ size, root, checkpoint }: HeadRecord, { ranges, log, handover }: KeyPlan): void {
  const keys = [...ranges.log, log, ...(handover === null ? [] : [handover.to])].map(({ verifierKey }) => verifierKey);
  try {
    verifyHead(checkpoint, [...new Set(keys)]);
    const head = headOf(checkpoint);
    if (head.size === size && head.root === root) return;
  } catch (error) {
    if (!(error instanceof TlogError)) throw error;
  }
  throw new WaybillError('LEDGER_CORRUPT', `the head over ${size} entries that the ledger has recorded is not signed by its keys`);
}

/** Compares the recorded head with the tree, which has at least as many entries. Rejects with `LEDGER_CORRUPT`. */
async function compare({ size, root }: HeadRecord, tree: HeadsOptions['tree']): Promise<void> {
  const found = await tree.root(asSize(size));
  if (found === root) return;
  throw new WaybillError(
    'LEDGER_CORRUPT',
    `the root over the first ${size} entries is ${found}, and ${root} was signed: entries were changed`,
  );
}
