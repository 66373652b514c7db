import { type Command, InvalidArgumentError } from 'commander';
import type { Config } from '../config/config.ts';
import type { Disk } from '../contracts/ports.ts';
import { TlogError } from '../tlog/error.ts';
import { parseVerifierKey, type VerifierKey } from '../tlog/key.ts';
import { type Policy, parsePolicy } from '../tlog/policy.ts';
import type { HeadPiece } from '../verify/copy.ts';
import { claimedSize } from '../verify/head-check.ts';
import { sha256 } from '../verify/jobs.ts';
import { verifierKeys } from './key-files.ts';
import { absolutePath, readText } from './machine.ts';

/** What a verification trusts, as it was given. */
export interface TrustWords {
  readonly key?: readonly VerifierKey[];
  readonly policy?: Policy;
  readonly head?: readonly HeadPiece[];
}

/** The keys that are trusted, and where they came from when nobody gave them. */
export interface TrustedKeys {
  readonly keys: readonly VerifierKey[];
  readonly cosigners: readonly VerifierKey[];
  readonly keyFrom: string | null;
}

/** Adds `--key` and `--policy`. */
export function withTrustOptions(command: Command): Command {
  return command
    .option('--key <vkey|file>', 'a verifier key that you trust, or a file of such lines; may be given several times', keysOf)
    .option('--policy <file>', 'a C2SP tlog-policy: keys of logs, and the witnesses that have to have signed', policyOf);
}

/** Adds `--head`. */
export function withHeadOption(command: Command): Command {
  return command.option('--head <file>', 'a head that was kept elsewhere: a checkpoint file; may be given several times', headsOf);
}

/** The keys that were given, those of the policy among them; else those in files beside the copy, which the result then says. */
export function trustedKeys(words: TrustWords, beside: readonly string[]): TrustedKeys {
  const given = [...(words.key ?? []), ...(words.policy?.logs ?? []).map(({ key }) => key)];
  const witnesses = (words.policy?.witnesses ?? []).map(({ key }) => key);
  const found = beside.flatMap((path) => {
    const text = readText(path);
    return text === null ? [] : [{ path, keys: keysIn(text) }];
  });
  const foundKeys = found.flatMap(({ keys }) => keys);
  const all = given.length > 0 ? given : foundKeys;
  const from = found.filter(({ keys }) => keys.some(({ algorithm }) => algorithm === 1)).map(({ path }) => path);
  return {
    keys: all.filter(({ algorithm }) => algorithm === 1),
    // A cosigner is never a reason to trust entries, so those beside the copy are as good as others to count what is there.
    cosigners: [...witnesses, ...[...given, ...foundKeys].filter(({ algorithm }) => algorithm === 4)],
    keyFrom: given.length > 0 || from.length === 0 ? null : from.join(', '),
  };
}

/** The files of the verifier keys of a configured log, or the keys themselves where no files have them. */
export async function configuredKeys(
  config: Config,
  disk: Disk,
): Promise<{ readonly beside: readonly string[]; readonly own: readonly VerifierKey[] }> {
  const { keys } = config.ledger;
  if (keys.from === 'directory') return { beside: ['log', 'freshness'].map((use) => `${keys.path}/${use}.vkey`), own: [] };
  const { log, freshness } = await verifierKeys(config.ledger, disk);
  return { beside: [], own: [log, freshness].map((text) => parseVerifierKey(sha256, text)) };
}

function keysIn(text: string): readonly VerifierKey[] {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => parseVerifierKey(sha256, line));
}

function keysOf(text: string, before: readonly VerifierKey[] = []): readonly VerifierKey[] {
  return [...before, ...orInvalid(() => keysIn(text.includes('+') && readText(absolutePath(text)) === null ? text : fileText(text)))];
}

function policyOf(path: string): Policy {
  return orInvalid(() => parsePolicy(sha256, fileText(path)));
}

function headsOf(path: string, before: readonly HeadPiece[] = []): readonly HeadPiece[] {
  const note = new TextEncoder().encode(fileText(path));
  return [...before, { kind: 'head', note, size: claimedSize(note), file: path, sampled: false }];
}

function fileText(path: string): string {
  const text = readText(absolutePath(path));
  if (text === null) throw new InvalidArgumentError(`there is no file ${path}.`);
  return text;
}

function orInvalid<Value>(read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (error instanceof TlogError) throw new InvalidArgumentError(`${error.reason}.`);
    throw error;
  }
}
