import { assert } from '../contracts/assert.ts';
import { sizeText } from '../contracts/quantities.ts';
import { CONTROL_SOURCE, NAME_PATTERN } from '../contracts/units.ts';
import { apiFaults } from './api-rules.ts';
import { closest } from './closest.ts';
import type { Config, DestinationConfig } from './config.ts';
import type { PathFault } from './faults.ts';
import type { Adapters } from './json-schema.ts';
import type { ConfigPath } from './places.ts';

/** What a name of a source or a destination must be; `null` when it is one. */
export function nameFault(name: string): string | null {
  if (name === CONTROL_SOURCE) return `the name ${CONTROL_SOURCE} is reserved for the entries that the pipeline writes itself`;
  if (NAME_PATTERN.test(name)) return null;
  return 'a name has lower-case letters, digits, _ and -, begins with a letter, and is at most 64 long';
}

/** The absolute paths that a configuration names, by the name of a destination or a source. */
export interface NamedPaths {
  readonly written: ReadonlyMap<string, readonly string[]>;
  readonly read: ReadonlyMap<string, readonly string[]>;
}

/** What only shows when the parts of a configuration that is right by its schema are put side by side. */
export function ruleFaults(config: Config, adapters: Adapters, paths: NamedPaths): PathFault[] {
  return [
    ...ledgerFaults(config),
    ...witnessFaults(config),
    ...apiFaults(config),
    ...config.sources.flatMap((source) => sourceFaults(source, adapters)),
    ...config.destinations.flatMap((destination) => destinationFaults(destination, adapters)),
    ...renameFaults('destinations', config.destinations, 'the cursor'),
    ...renameFaults('sources', config.sources, 'the place'),
    ...targetFaults(config, adapters),
    ...pathFaults(config, paths),
    ...loopFaults(config, adapters, paths),
  ];
}

function fault(path: ConfigPath, message: string, suggestion: string | null = null): PathFault {
  return { path, part: 'value', message, suggestion };
}

/** Beside its reserve a ledger writes space ahead, so a smaller limit would refuse the first event. */
const SPACE_MIN = 12 * 1_048_576;

/** How many segments are always there: the one that is written to, the next one, and those that the snapshots need. */
const SEGMENTS_MIN = 4;

function ledgerFaults({ ledger, destinations }: Config): PathFault[] {
  const { limitBytes, reservedBytes, segmentBytes, retain } = ledger;
  const faults: PathFault[] = [];
  if (limitBytes !== null && limitBytes < reservedBytes + SPACE_MIN)
    faults.push(fault(['ledger', 'limit'], `too small: ledger.reserve and ${sizeText(SPACE_MIN)} beside it have to fit`));
  if (retain.bytes !== null && retain.bytes < SEGMENTS_MIN * segmentBytes) {
    const least = `${SEGMENTS_MIN} segments of ${sizeText(segmentBytes)} (ledger.segment)`;
    faults.push(fault(['ledger', 'retain', 'bytes'], `too small: whole segments are removed, and at least ${least} have to fit`));
  }
  if (retain.bytes !== null && limitBytes !== null && retain.bytes + segmentBytes > limitBytes) {
    const most = `ledger.limit less one segment, ${sizeText(limitBytes - segmentBytes)}`;
    faults.push(fault(['ledger', 'retain', 'bytes'], `too large: senders would be refused before anything is removed; at most ${most}`));
  }
  if (retain.bytes !== null || retain.ageMs !== null) return faults;
  const useless = destinations.filter(({ maxLag }) => maxLag !== null);
  return [
    ...faults,
    ...useless.map(({ name }) => fault(['destinations', name, 'max_lag'], 'has no effect: without ledger.retain nothing is ever removed')),
  ];
}

function witnessFaults({ ledger: { witnesses, witnessQuorum } }: Config): PathFault[] {
  const twice = witnesses.flatMap((witness, place) => {
    const other = witnesses.slice(0, place).find(({ name, verifierKey }) => name === witness.name || verifierKey === witness.verifierKey);
    return other === undefined ? [] : [fault(['ledger', 'witnesses', place], `${other.name} is there already, by name or by key`)];
  });
  const none = witnesses.findIndex(({ name }) => name === 'none');
  const unnamed =
    none < 0 ? [] : [fault(['ledger', 'witnesses', none, 'name'], 'none has a meaning of its own in policies: choose another name')];
  if (witnessQuorum <= witnesses.length) return [...twice, ...unnamed];
  return [...twice, ...unnamed, fault(['ledger', 'witness_quorum'], `more than there are witnesses: ${witnesses.length}`)];
}

function sourceFaults(source: Config['sources'][number], adapters: Adapters): PathFault[] {
  const path = ['sources', source.name];
  const definition = sourceOf(source, adapters);
  const fitting = definition.schemas?.(source.settings) ?? [source.schema];
  if (!fitting.includes(source.schema)) {
    return [fault([...path, 'schema'], `what this source reads never fits schema ${source.schema}; set it to ${fitting.join(' or ')}`)];
  }
  if (source.rate !== null && definition.traits.delivery === 'resumable') {
    return [fault([...path, 'rate'], 'rate is for senders that are answered; this source reads no faster than entries become durable')];
  }
  if (source.schema === 'json' || source.idField === null) return [];
  return [fault([...path, 'id_field'], 'schema waybill/1 has its identity in `id`; id_field belongs to schema json')];
}

function destinationFaults(destination: DestinationConfig, adapters: Adapters): PathFault[] {
  const path = ['destinations', destination.name];
  const faults: PathFault[] = [];
  const formats = Object.keys(adapters.codecs);
  if (!formats.includes(destination.format)) {
    faults.push(
      fault(
        [...path, 'format'],
        `there is no format ${destination.format}; there is ${formats.join(', ')}`,
        closest(destination.format, formats),
      ),
    );
  }
  const { inFlightMax } = traitsOf(destination, adapters);
  if (destination.inFlight > inFlightMax) {
    faults.push(
      fault([...path, 'in_flight'], `a ${destination.type} destination keeps the order only with at most ${inFlightMax} in flight`),
    );
  }
  if (destination.retry.minMs > destination.retry.maxMs) faults.push(fault([...path, 'retry', 'min'], 'retry.min is above retry.max'));
  return faults;
}

/** What a part has goes from one name to one other. */
function renameFaults(
  key: 'sources' | 'destinations',
  parts: readonly { readonly name: string; readonly renamedFrom: string | null }[],
  what: string,
): PathFault[] {
  return parts.flatMap(({ name, renamedFrom }, place) => {
    if (renamedFrom === null) return [];
    const path = [key, name, 'renamed_from'];
    if (renamedFrom === CONTROL_SOURCE) return [fault(path, `the name ${CONTROL_SOURCE} is reserved`)];
    if (parts.some((other) => other.name === renamedFrom)) {
      return [fault(path, `${renamedFrom} is in the configuration too; what was renamed is there under its new name only`)];
    }
    const earlier = parts.slice(0, place).find((other) => other.renamedFrom === renamedFrom);
    return earlier === undefined ? [] : [fault(path, `${earlier.name} takes over ${what} of ${renamedFrom} already`)];
  });
}

function targetFaults({ destinations }: Config, adapters: Adapters): PathFault[] {
  return destinations.flatMap((destination, place) => {
    // Where a write is conditional on its position, two writers make one of them halt for ever.
    if (traitsOf(destination, adapters).dedupe !== 'position') return [];
    const target = targetOf(destination, adapters);
    const other = destinations
      .slice(0, place)
      .find((earlier) => earlier.type === destination.type && targetOf(earlier, adapters) === target);
    return other === undefined ? [] : [fault(['destinations', destination.name], `writes to the same place as ${other.name}: ${target}`)];
  });
}

function pathFaults({ ledger }: Config, { written, read }: NamedPaths): PathFault[] {
  const inside = (path: string): boolean => path === ledger.path || path.startsWith(`${ledger.path}/`);
  const faults = (key: string, paths: NamedPaths['read'], why: string): PathFault[] =>
    [...paths].flatMap(([name, places]) =>
      places.filter(inside).map((place) => fault([key, name], `${place} is inside ledger.path; nothing but the ledger may ${why}`)),
    );
  return [...keysFaults(ledger, inside), ...faults('destinations', written, 'be there'), ...faults('sources', read, 'look there')];
}

/** Whoever copies the ledger must not get its keys with it. */
function keysFaults({ keys }: Config['ledger'], inside: (path: string) => boolean): PathFault[] {
  if (keys.from !== 'directory' || !inside(keys.path)) return [];
  return [fault(['ledger', 'keys'], `${keys.path} is inside ledger.path; a copy of the ledger would hold its keys`)];
}

/** A source that reads what a destination writes makes every entry an event again, without an end. */
function loopFaults({ sources }: Config, adapters: Adapters, { written }: NamedPaths): PathFault[] {
  return sources.flatMap((source) =>
    [...written].flatMap(([destination, places]) =>
      places
        .filter((place) => sourceOf(source, adapters).reads?.(source.settings, place) === true)
        .map((place) => fault(['sources', source.name], `reads ${place}, which the destination ${destination} writes: that never ends`)),
    ),
  );
}

function sourceOf({ type }: Config['sources'][number], adapters: Adapters) {
  const definition = adapters.sources[type];
  assert(definition !== undefined, `the source ${type} was looked up when the file was read`);
  return definition;
}

function traitsOf(destination: DestinationConfig, adapters: Adapters) {
  return definitionOf(destination, adapters).traits(destination.settings);
}

function targetOf(destination: DestinationConfig, adapters: Adapters): string {
  return definitionOf(destination, adapters).target(destination.settings);
}

function definitionOf({ type }: DestinationConfig, adapters: Adapters) {
  const definition = adapters.sinks[type];
  assert(definition !== undefined, `the sink ${type} was looked up when the file was read`);
  return definition;
}
