import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import type { TreeHashes } from '../contracts/heads.ts';
import type { Ports } from '../contracts/ports.ts';
import { asSize } from '../contracts/units.ts';
import { TlogError } from '../tlog/error.ts';
import { parseVerifierKey, type VerifierKey } from '../tlog/key.ts';
import type { NoteSignature } from '../tlog/note.ts';
import { formatPolicy, type Policy, type PolicyGroup, quorumMet } from '../tlog/policy.ts';
import { sha256 } from './grow.ts';
import { headOf, verifyHead, withLines } from './head-note.ts';
import { askWitness, type WitnessAnswer, type WitnessSettings } from './witness-client.ts';

/** The witnesses of a log, and how many of them are enough. */
export interface WitnessesSettings {
  readonly witnesses: readonly WitnessSettings[];
  /** How many of all of them have to sign; those that are required count too. */
  readonly quorum: number;
}

/** A witness as an operator sees it. */
export interface WitnessStatus {
  readonly name: string;
  readonly required: boolean;
  /** Over how many entries the head was that it signed last; `null` for none since the start. */
  readonly size: number | null;
  readonly fault: { readonly code: string; readonly message: string; readonly action: string } | null;
  /** How often it did not sign since the start. */
  readonly failures: number;
}

/** A head with the lines of witnesses. */
export interface Cosigned {
  readonly checkpoint: string;
  /** Who is missing for it to be published; `null`: nobody. */
  readonly missing: string | null;
}

/** How long a witness that did not sign is left alone: twice as long each time. Those that are required are always asked. */
const PAUSE_MS = { first: 1_000, longest: 60_000 };
/** How often a witness may say that it is at another size than was thought, for one head. */
const TURNS = 3;
/** How long a start waits for witnesses. */
const START_MS = 3_000;

interface Witness {
  readonly settings: WitnessSettings;
  readonly key: VerifierKey;
  /** The size that it is known to be at. */
  at: number;
  signed: number | null;
  pauseMs: number;
  asleepUntil: number;
  fault: WaybillError | null;
  failures: number;
}

/** Everybody who is asked to witness the heads of this log. Nothing of it ever holds up what is accepted or delivered. */
export class Witnesses {
  readonly #witnesses: readonly Witness[];
  readonly #wanted: WitnessesSettings;
  readonly #policy: Policy;
  readonly #consistency: TreeHashes['consistency'];
  readonly #ports: Pick<Ports, 'http' | 'clock' | 'log'>;

  /** Throws `KEY_INVALID` for a verifier key that is none of a cosigner. */
  constructor(settings: WitnessesSettings, tree: Pick<TreeHashes, 'consistency'>, ports: Pick<Ports, 'http' | 'clock' | 'log'>) {
    this.#witnesses = settings.witnesses.map((witness) => ({
      settings: witness,
      key: cosignerKey(witness),
      at: 0,
      signed: null,
      pauseMs: 0,
      asleepUntil: Number.NEGATIVE_INFINITY,
      fault: null,
      failures: 0,
    }));
    this.#wanted = settings;
    this.#policy = policyOf(settings, []);
    this.#consistency = (from, to) => tree.consistency(from, to);
    this.#ports = ports;
  }

  /** Whether there is anybody to ask. */
  get any(): boolean {
    return this.#witnesses.length > 0;
  }

  status(): readonly WitnessStatus[] {
    return this.#witnesses.map(({ settings: { name, required }, signed, fault, failures }) => ({
      name,
      required,
      size: signed,
      fault: fault === null ? null : { code: fault.code, message: fault.message, action: fault.action },
      failures,
    }));
  }

  /**
   * Shows everybody who answers within 3 s the recorded head, before anything is accepted. Rejects with `LEDGER_REWOUND` when one has
   * signed a head over more entries than the ledger has, or one that this one does not continue. `proves`: the tree has got as far as
   * this head.
   */
  async refuseRewound(checkpoint: string, ledgerSize: number, proves: boolean): Promise<void> {
    const enough = new AbortController();
    const late = this.#ports.clock.sleep(START_MS, enough.signal).catch(() => undefined);
    const found: string[] = [];
    const asked = this.#witnesses.map(async (witness) => {
      const wrong = await this.#rewound(witness, checkpoint, ledgerSize, proves);
      if (wrong !== null) found.push(`the witness ${witness.settings.name} ${wrong}`);
    });
    const all = Promise.all(asked);
    all.catch(() => undefined);
    await Promise.race([all, late]);
    enough.abort();
    const [first] = found;
    if (first !== undefined) throw new WaybillError('LEDGER_REWOUND', first);
  }

  async #rewound(witness: Witness, checkpoint: string, ledgerSize: number, proves: boolean): Promise<string | null> {
    const { size } = headOf(checkpoint);
    try {
      let answer = await this.#ask(witness, { checkpoint, old: size, proof: [] });
      if (answer.kind === 'conflict') return `has signed another head over ${size} entries`;
      if (answer.kind === 'cosigned') {
        witness.at = size;
        return null;
      }
      witness.at = answer.size;
      if (witness.at > ledgerSize) return `has signed a head over ${witness.at} entries, and the ledger has ${ledgerSize}`;
      if (witness.at > size || !proves) return null;
      const proof = witness.at === 0 ? [] : await this.#consistency(asSize(witness.at), asSize(size));
      answer = await this.#ask(witness, { checkpoint, old: witness.at, proof });
      return answer.kind === 'conflict' ? `has signed a head over ${witness.at} entries that these do not continue` : null;
    } catch (error) {
      // Who does not answer is asked for every head, and told of.
      return this.#failed(witness, error);
    }
  }

  /**
   * Asks for cosignatures, everybody at the same time. Rejects with `WITNESS_CONFLICT` when one has signed what this head does not
   * continue: then there are two histories, and no more heads may go out.
   */
  async cosign(checkpoint: string): Promise<Cosigned> {
    const now = this.#ports.clock.monotonic();
    const awake = this.#witnesses.filter(({ settings, asleepUntil }) => settings.required || asleepUntil <= now);
    const lines = await Promise.all(awake.map((witness) => this.#cosignature(witness, checkpoint)));
    const cosigned = withLines(
      checkpoint,
      lines.filter((line) => line !== null),
    );
    const signers = this.#signersOf(cosigned);
    const lacking = this.#witnesses.filter(({ key }) => !signers.some((signer) => signer.name === key.name && signer.id === key.id));
    const names = lacking.map(({ settings }) => settings.name).join(', ');
    return { checkpoint: cosigned, missing: quorumMet(this.#policy, signers) ? null : names };
  }

  /** What published heads meet, as a C2SP tlog-policy; `logKeys` are the verifier keys of the log. */
  policyText(logKeys: readonly string[]): string {
    return formatPolicy(policyOf(this.#wanted, logKeys));
  }

  async #cosignature(witness: Witness, checkpoint: string): Promise<NoteSignature | null> {
    const { name } = witness.settings;
    const { size } = headOf(checkpoint);
    try {
      for (let turn = 0; turn < TURNS; turn++) {
        const old = Math.min(witness.at, size);
        const proof = old === 0 || old === size ? [] : await this.#consistency(asSize(old), asSize(size));
        const answer = await this.#ask(witness, { checkpoint, old, proof });
        if (answer.kind === 'cosigned') return this.#signed(witness, size, answer.line);
        if (answer.kind === 'conflict') throw conflict(name, `says that ${size} entries do not continue its ${old}: ${answer.reason}`);
        if (answer.size > size) throw conflict(name, `has signed a head over ${answer.size} entries, and ours is over ${size}`);
        witness.at = answer.size;
      }
      throw new WaybillError('WITNESS_REFUSED', `the witness ${name} answers with another size each time`);
    } catch (error) {
      this.#failed(witness, error);
      if (isWaybillError(error) && error.code === 'WITNESS_CONFLICT') throw error;
      return null;
    }
  }

  #ask(witness: Witness, request: Parameters<typeof askWitness>[2]): Promise<WitnessAnswer> {
    return askWitness(witness.settings, witness.key, request, this.#ports);
  }

  #signed(witness: Witness, size: number, line: NoteSignature): NoteSignature {
    if (witness.fault !== null) this.#ports.log.info('the witness signs again', { witness: witness.settings.name });
    Object.assign(witness, { at: size, signed: size, fault: null, pauseMs: 0 });
    return line;
  }

  /** Notes what went wrong; a mistake of this program is thrown on. */
  #failed(witness: Witness, error: unknown): null {
    if (!isWaybillError(error) || !error.code.startsWith('WITNESS_')) throw error;
    const { name } = witness.settings;
    const tell = error.code === 'WITNESS_CONFLICT' ? 'error' : 'warn';
    if (witness.fault?.code !== error.code)
      this.#ports.log[tell]('a witness did not sign', { witness: name, code: error.code, message: error.message });
    witness.fault = error;
    witness.failures++;
    witness.pauseMs = Math.min(PAUSE_MS.longest, Math.max(PAUSE_MS.first, 2 * witness.pauseMs));
    witness.asleepUntil = this.#ports.clock.monotonic() + witness.pauseMs;
    return null;
  }

  #signersOf(checkpoint: string): readonly VerifierKey[] {
    try {
      return verifyHead(
        checkpoint,
        this.#witnesses.map(({ settings }) => settings.verifierKey),
      ).map(({ key }) => key);
    } catch (error) {
      if (error instanceof TlogError) return [];
      throw error;
    }
  }
}

/**
 * The policy that a published head meets: all that are required, and so many of all. `logKeys` are verifier keys of the log, whose heads it
 * accepts. Where to find a witness is nobody else's business, so no address is in it.
 */
export function policyOf({ witnesses, quorum }: WitnessesSettings, logKeys: readonly string[]): Policy {
  const required = witnesses.filter((witness) => witness.required).map(({ name }) => name);
  const others = witnesses.filter((witness) => !witness.required).map(({ name }) => name);
  // Nobody may be a member of two groups. Those that are required count towards the quorum, so the others make up the rest of it.
  const rest = Math.max(0, quorum - required.length);
  // Capitals, because a witness of the configuration cannot have them in its name and so never stands for a group.
  const groups: PolicyGroup[] = [
    ...(required.length === 0 ? [] : [{ name: 'REQUIRED', threshold: required.length, members: required }]),
    ...(rest === 0 ? [] : [{ name: 'OTHERS', threshold: rest, members: others }]),
  ];
  const members = groups.map(({ name }) => name);
  return {
    logs: logKeys.map((key) => ({ key: parseVerifierKey(sha256, key), url: null })),
    witnesses: witnesses.map((witness) => ({ name: witness.name, key: cosignerKey(witness), url: null })),
    groups: groups.length < 2 ? groups : [...groups, { name: 'BOTH', threshold: 2, members }],
    quorum: groups.length === 2 ? 'BOTH' : (members[0] ?? null),
  };
}

function cosignerKey({ name, verifierKey }: WitnessSettings): VerifierKey {
  try {
    const key = parseVerifierKey(sha256, verifierKey);
    if (key.algorithm === 4) return key;
  } catch (error) {
    if (!(error instanceof TlogError)) throw error;
  }
  throw new WaybillError('KEY_INVALID', `the vkey of the witness ${name} is no verifier key of cosignatures (type 4)`);
}

function conflict(name: string, what: string): WaybillError {
  return new WaybillError('WITNESS_CONFLICT', `the witness ${name} ${what}`);
}
