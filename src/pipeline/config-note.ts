import { changedPaths, type Leaves, leavesOf, sha256OfLeaves } from '../config/leaves.ts';
import { assert } from '../contracts/assert.ts';
import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import type { Journal } from '../contracts/ledger.ts';
import type { Log } from '../contracts/ports.ts';
import type { Intake } from '../intake/sequencer.ts';

/**
 * Writes the control entry `config` whenever the configuration at work is another one than before, also than before a restart. The first
 * one is only remembered.
 */
export interface ConfigNote {
  /**
   * Notes the configuration that is at work now. `shown` is the file without its secrets. `secret` names paths whose values changed
   * although `shown` may be the same. A note that cannot be written is logged, and made up for by the next one: no reload or start fails
   * for it.
   */
  note(shown: unknown, by: ConfigAuthor, secret?: readonly string[]): Promise<void>;
}

/** Who brought the configuration in: the start of the process, SIGHUP, or a request, with the name of its token. */
export type ConfigAuthor = { readonly how: 'start' | 'signal' } | { readonly how: 'request'; readonly name: string | null };

/** What the journal remembers of the last note. */
interface Noted {
  readonly v: 1;
  /** How many notes there have been: each has a key of its own, so that going back to an earlier configuration is noted too. */
  readonly number: number;
  readonly sha256: string;
  /** The values as they were shown, so that the next start can say what changed; `null` when they were too many. */
  readonly leaves: readonly (readonly [path: string, value: string])[] | null;
}

/** The journal key of the last note. */
export const CONFIG_KEY = 'config';

/** How many changed paths an entry names; it says how many there were in all. */
export const CHANGED_MAX = 100;

const PATH_CHARS_MAX = 200;
const LEAVES_BYTES_MAX = 64 * 1024;

/** Reads what was noted last. From then on the ledger asks for it when it writes a snapshot. Throws `JOURNAL_INVALID`. */
export function openConfigNote(
  journal: Pick<Journal, 'load' | 'append' | 'compact'>,
  intake: Pick<Intake, 'control'>,
  log: Log,
): ConfigNote {
  const { state, records } = journal.load(CONFIG_KEY);
  const last = records.at(-1) ?? state;
  let noted: Noted | null = last === null ? null : parseNoted(last);
  journal.compact(CONFIG_KEY, () => {
    assert(noted !== null, 'there is something to fold once something was noted');
    return JSON.stringify(noted);
  });

  async function remember(shown: Leaves, sha256: string, number: number): Promise<void> {
    const leaves = [...shown];
    const kept = Buffer.byteLength(JSON.stringify(leaves)) <= LEAVES_BYTES_MAX ? leaves : null;
    noted = { v: 1, number, sha256, leaves: kept };
    await journal.append(CONFIG_KEY, JSON.stringify(noted));
  }

  async function write(shown: Leaves, sha256: string, before: Noted, secret: readonly string[], by: ConfigAuthor): Promise<void> {
    const number = before.number + 1;
    const visible = before.leaves === null ? [] : changedPaths(new Map(before.leaves), shown);
    const changed = [...new Set([...visible, ...secret])].sort();
    const facts = {
      sha256,
      by: by.how,
      ...(by.how === 'request' && by.name !== null ? { token: by.name } : {}),
      changed: changed.slice(0, CHANGED_MAX).map((path) => path.slice(0, PATH_CHARS_MAX)),
      changed_count: changed.length,
    };
    // A crash before the journal knows of it asks for the same entry again, which is written once.
    await intake.control('config', facts, `${number}:${sha256}`);
    await remember(shown, sha256, number);
  }

  return {
    async note(file, by, secret = []) {
      const shown = leavesOf(file);
      const sha256 = sha256OfLeaves(shown);
      if (noted?.sha256 === sha256 && secret.length === 0) return;
      try {
        // The first one is no change of anything.
        if (noted === null) await remember(shown, sha256, 0);
        else await write(shown, sha256, noted, secret, by);
      } catch (error) {
        if (!isWaybillError(error)) throw error;
        log.warn('the control entry of the configuration could not be written', { code: error.code, message: error.message });
      }
    },
  };
}

function parseNoted(text: string): Noted {
  const noted = JSON.parse(text) as Noted;
  if (noted.v === 1) return noted;
  throw new WaybillError('JOURNAL_INVALID', `the note of the configuration has version ${String(noted.v)}; this program reads version 1`);
}
