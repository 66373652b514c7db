/**
 * The names that sources have had: a fold of the durable `source.renamed` entries. A source that was renamed stays one source: its
 * identities, its places and the numbers of its producers are its own under every name. The entries keep the name that they were written
 * with, and `n` counts for each name.
 */
import { WaybillError } from '../contracts/errors.ts';
import type { Ledger } from '../contracts/ledger.ts';

/** What the intake asks about a name. */
export interface SourceNames {
  /** The first name of the source: it stays the same whatever the source is called later. */
  first(name: string): string;
  /** What the source is called now. Another name than the one that was asked for means that this one was given up. */
  current(name: string): string;
  /** Every name of the source, the current one first. */
  all(name: string): readonly string[];
  /** The names that the source had before this one, its current name. Asked for with each event: what was never renamed costs nothing. */
  earlier(name: string): readonly string[];
}

/** The names as a snapshot holds them: of each source that was renamed the first name, then all names, the current one first. */
export type NamesRow = readonly string[];

/** The fold. */
export interface NamesFold extends SourceNames {
  /** Notes a `source.renamed` entry that has become durable. */
  renamed(from: string, to: string): void;
  rows(): readonly NamesRow[];
}

const NONE: readonly string[] = [];

interface Family {
  readonly first: string;
  /** The current one first. */
  names: readonly string[];
}

/** How many names one source may have had: each of them costs a look-up for each event. */
export const SOURCE_NAMES_MAX = 16;

/** Makes the fold from the rows of an earlier one. */
export function createNames(rows: readonly NamesRow[]): NamesFold {
  const families = new Map<string, Family>();
  for (const [first = '', ...names] of rows) {
    const family = { first, names };
    for (const name of names) families.set(name, family);
  }
  return {
    first: (name) => families.get(name)?.first ?? name,
    current: (name) => families.get(name)?.names[0] ?? name,
    all: (name) => families.get(name)?.names ?? [name],
    earlier: (name) => families.get(name)?.names.slice(1) ?? NONE,
    renamed(from, to) {
      const family = families.get(from) ?? { first: from, names: [from] };
      family.names = [to, ...family.names.filter((name) => name !== to)];
      for (const name of family.names) families.set(name, family);
    },
    rows: () => [...new Set(families.values())].map(({ first, names }) => [first, ...names]),
  };
}

/** What a ledger says of a source. */
type SourceFacts = Pick<Ledger, 'sequence' | 'positions'>;

/** Rejects a renaming that would merge two sources, or that has nothing to take over, with `RENAME_REFUSED`. */
export function refuseRename(from: string, to: string, ledger: SourceFacts, names: SourceNames): void {
  const now = names.current(from);
  if (now !== from) throw calledOtherwise(from, now, to);
  const known = (name: string): boolean => ledger.sequence(name) > 0 || ledger.positions(name).size > 0;
  const had = names.all(from);
  if (had.length === 1 && !known(from)) throw refused(`there is nothing of a source ${from} that ${to} could take over`);
  if (had.includes(to)) return;
  if (known(to) || names.all(to).length > 1)
    throw refused(`${to} is a source of its own, with ${ledger.sequence(to)} entries, and so is ${from}, with ${ledger.sequence(from)}`);
  if (had.length >= SOURCE_NAMES_MAX) throw refused(`the source ${from} has had ${had.length} names, of ${SOURCE_NAMES_MAX}`);
}

/** A source as it is configured: its name, and the one that it had before. */
export interface NamedSource {
  readonly name: string;
  readonly renamedFrom: string | null;
}

/**
 * Rejects names that sources can not have, with `RENAME_REFUSED`: by a renaming that cannot be, and a name that a source gave up. Whoever
 * came under that one would be that source without its places.
 */
export function refuseNames(sources: readonly NamedSource[], ledger: SourceFacts, names: SourceNames): void {
  for (const { name, renamedFrom } of sources) {
    const now = names.current(name);
    if (renamedFrom !== null && names.current(renamedFrom) !== name) refuseRename(renamedFrom, name, ledger, names);
    else if (now !== name) throw calledOtherwise(name, now, name);
  }
}

/** That there is no source of this name, with what it is called now. */
export function unknownSource(name: string, names: SourceNames): WaybillError {
  const now = names.current(name);
  return new WaybillError('SOURCE_UNKNOWN', `there is no source ${name}${now === name ? '' : `; it is called ${now} now`}`);
}

function calledOtherwise(name: string, now: string, wanted: string): WaybillError {
  return refused(`the source ${name} is called ${now} now; renamed_from: ${now} gives it the name ${wanted}`);
}

function refused(message: string): WaybillError {
  return new WaybillError('RENAME_REFUSED', message);
}
