import type { Checkpoint } from './checkpoint.ts';
import { TlogError } from './error.ts';
import type { Sha256 } from './hash.ts';
import { formatVerifierKey, parseVerifierKey, type VerifierKey } from './key.ts';
import type { VerifiedSignature } from './note.ts';
import { parseSize } from './size.ts';

/** A log whose heads are accepted. */
export interface PolicyLog {
  readonly key: VerifierKey;
  readonly url: string | null;
}

/** A witness that can count. */
export interface PolicyWitness {
  /** What groups and the quorum call it; it means nothing outside the policy. */
  readonly name: string;
  readonly key: VerifierKey;
  readonly url: string | null;
}

/** Members of which `threshold` have to have witnessed a head, so that the group has. */
export interface PolicyGroup {
  readonly name: string;
  readonly threshold: number;
  readonly members: readonly string[];
}

/** Whose heads are accepted, and which witnesses have to have seen them: C2SP tlog-policy. */
export interface Policy {
  readonly logs: readonly PolicyLog[];
  readonly witnesses: readonly PolicyWitness[];
  /** In the order of their definition: a group refers only to what comes before it. */
  readonly groups: readonly PolicyGroup[];
  /** The witness or group that must have witnessed a head; `null` where none has to. */
  readonly quorum: string | null;
}

/** The longest policy that is read, in characters. */
export const POLICY_CHARACTERS_MAX = 1_000_000;

/** How many logs, witnesses and groups a policy may name, each; C2SP recommends at least 32. */
export const POLICY_NAMES_MAX = 256;

/** Reads a policy, a file in UTF-8. Throws `TlogError` with the number of the line that is wrong. */
export function parsePolicy(sha256: Sha256, text: string): Policy {
  if (text.length > POLICY_CHARACTERS_MAX) {
    throw new TlogError(`the policy has ${text.length} characters: at most ${POLICY_CHARACTERS_MAX} are read`);
  }
  const lines = text.split('\n');
  if (lines.pop() !== '') throw new TlogError('the last line of the policy does not end with a line feed');
  const reader = new PolicyReader(sha256);
  for (const [at, line] of lines.entries()) {
    try {
      reader.read(line);
    } catch (error) {
      throw error instanceof TlogError ? new TlogError(`line ${at + 1} of the policy: ${error.reason}`) : error;
    }
  }
  return reader.end();
}

/**
 * Writes a policy. Throws `RangeError` for one that could not be read again with the same meaning: a name that is used twice, or that is no
 * word.
 */
export function formatPolicy({ logs, witnesses, groups, quorum }: Policy): string {
  const names = [...witnesses, ...groups].map(({ name }) => name);
  if (names.some((name) => name === NONE || !WORD.test(name))) throw new RangeError('this is not the name of a witness or group');
  const members = groups.flatMap((group) => group.members);
  if (new Set(names).size < names.length || new Set(members).size < members.length) throw new RangeError('a name would count twice');
  return [
    ...logs.map(({ key, url }) => `log ${formatVerifierKey(key)}${url === null ? '' : ` ${url}`}`),
    ...witnesses.map(({ name, key, url }) => `witness ${name} ${formatVerifierKey(key)}${url === null ? '' : ` ${url}`}`),
    ...groups.map(({ name, threshold, members: own }) => `group ${name} ${threshold} ${own.join(' ')}`),
    `quorum ${quorum ?? NONE}`,
    '',
  ].join('\n');
}

/** Every key that the policy names: those to open a note with. */
export function policyKeys(policy: Policy): readonly VerifierKey[] {
  return [...policy.logs, ...policy.witnesses].map(({ key }) => key);
}

/** Whether the keys that have signed are enough for the quorum. Keys that the policy does not name as witnesses do not count. */
export function quorumMet(policy: Policy, signers: readonly VerifierKey[]): boolean {
  if (policy.quorum === null) return true;
  const signed = policy.witnesses.filter(({ key }) => signers.some((signer) => isSameKey(signer, key) && signer.id === key.id));
  const witnessed = new Set(signed.map(({ name }) => name));
  for (const { name, threshold, members } of policy.groups) {
    if (members.filter((member) => witnessed.has(member)).length >= threshold) witnessed.add(name);
  }
  return witnessed.has(policy.quorum);
}

/**
 * Throws `TlogError` unless the policy accepts this checkpoint with these lines under it, which somebody has checked: one of a log of the
 * policy whose name is the origin, and those of a quorum of witnesses.
 */
export function checkPolicy(policy: Policy, checkpoint: Checkpoint, verified: readonly VerifiedSignature[]): void {
  const signers = verified.map(({ key }) => key);
  const byLog = policy.logs.some(
    ({ key }) => key.name === checkpoint.origin && signers.some((signer) => isSameKey(signer, key) && signer.id === key.id),
  );
  if (!byLog) throw new TlogError(`no log of the policy with the name ${checkpoint.origin} signed the checkpoint`);
  if (quorumMet(policy, signers)) return;
  const names = policy.witnesses.filter(({ key }) => signers.some((signer) => isSameKey(signer, key))).map(({ name }) => name);
  const who = names.length === 0 ? 'no witness' : names.join(', ');
  throw new TlogError(`the policy asks for ${policy.quorum ?? 'none'}, and under the checkpoint is ${who}`);
}

/** Reads line after line; names have to be defined before they are used. */
class PolicyReader {
  readonly #sha256: Sha256;
  readonly #logs: PolicyLog[] = [];
  readonly #witnesses: PolicyWitness[] = [];
  readonly #groups: PolicyGroup[] = [];
  readonly #members = new Set<string>();
  #quorum: string | null | undefined;

  constructor(sha256: Sha256) {
    this.#sha256 = sha256;
  }

  read(line: string): void {
    if (FORBIDDEN.test(line)) throw new TlogError('it has a control character');
    const [verb, ...words] = line.split(/[ \t]+/).filter((word) => word !== '');
    if (verb === undefined || verb.startsWith('#')) return;
    if (verb === 'log') this.#log(words);
    else if (verb === 'witness') this.#witness(words);
    else if (verb === 'group') this.#group(words);
    else if (verb === 'quorum') this.#setQuorum(words);
    else throw new TlogError('it begins neither with log, witness, group nor quorum');
  }

  end(): Policy {
    if (this.#quorum === undefined) throw new TlogError('the policy has no line "quorum": "quorum none" asks for no witness');
    return { logs: this.#logs, witnesses: this.#witnesses, groups: this.#groups, quorum: this.#quorum };
  }

  #log(words: readonly string[]): void {
    const [vkey = '', url = null] = words;
    if (words.length < 1 || words.length > 2) throw new TlogError('it has the form "log vkey [url]"');
    const key = parseVerifierKey(this.#sha256, vkey);
    if (this.#logs.some((log) => isSameKey(log.key, key))) throw new TlogError(`the public key of the log ${key.name} is there twice`);
    add(this.#logs, { key, url }, 'logs');
  }

  #witness(words: readonly string[]): void {
    const [name = '', vkey = '', url = null] = words;
    if (words.length < 2 || words.length > 3) throw new TlogError('it has the form "witness name vkey [url]"');
    const key = parseVerifierKey(this.#sha256, vkey);
    if (key.algorithm !== 4) throw new TlogError(`the key of the witness ${name} has the type ${key.algorithm}: a cosignature has 4`);
    if (this.#witnesses.some((witness) => isSameKey(witness.key, key))) {
      throw new TlogError(`the public key of the witness ${name} is there twice`);
    }
    this.#define(name);
    add(this.#witnesses, { name, key, url }, 'witnesses');
  }

  #group(words: readonly string[]): void {
    const [name = '', count = '', ...members] = words;
    if (members.length === 0) throw new TlogError('it has the form "group name all|any|number member …"');
    const threshold = count === 'all' ? members.length : count === 'any' ? 1 : parseSize(count);
    if (threshold === null || threshold < 1 || threshold > members.length) {
      throw new TlogError(`${count} is not all, any or a number from 1 to the ${members.length} members`);
    }
    for (const member of members) {
      if (!this.#isDefined(member)) throw new TlogError(`${member} is not the name of a witness or group of a line before`);
      if (this.#members.has(member)) throw new TlogError(`${member} is a member twice, so that it would count twice`);
      this.#members.add(member);
    }
    this.#define(name);
    add(this.#groups, { name, threshold, members }, 'groups');
  }

  #setQuorum(words: readonly string[]): void {
    const [name = ''] = words;
    if (words.length !== 1) throw new TlogError('it has the form "quorum name"');
    if (this.#quorum !== undefined) throw new TlogError('the quorum is there twice');
    if (name !== NONE && !this.#isDefined(name)) throw new TlogError(`${name} is not the name of a witness or group of a line before`);
    this.#quorum = name === NONE ? null : name;
  }

  #define(name: string): void {
    if (name === NONE) throw new TlogError('the name none has a meaning of its own');
    if (this.#isDefined(name)) throw new TlogError(`the name ${name} is there twice`);
  }

  #isDefined(name: string): boolean {
    return this.#witnesses.some((witness) => witness.name === name) || this.#groups.some((group) => group.name === name);
  }
}

function add<Item>(items: Item[], item: Item, what: string): void {
  if (items.length >= POLICY_NAMES_MAX) throw new TlogError(`there are more than ${POLICY_NAMES_MAX} ${what}`);
  items.push(item);
}

/** Two keys are the same where their public key is, whatever their names: C2SP tlog-policy. */
function isSameKey(a: VerifierKey, b: VerifierKey): boolean {
  return a.publicKey.every((byte, at) => byte === b.publicKey[at]);
}

const NONE = 'none';
// What the lines of a policy are split at is in no word of one.
const WORD = /^[^\s\p{Cc}]+$/u;
// Of the control characters only the tab may stand within a line.
const FORBIDDEN = /(?!\t)[\p{Cc}]/u;
