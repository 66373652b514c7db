import { dirname, isAbsolute, resolve } from 'node:path';
import type { z } from 'zod';
import { assert } from '../contracts/assert.ts';
import { WaybillError } from '../contracts/errors.ts';
import { apiConfig } from './api-schema.ts';
import { closest } from './closest.ts';
import type { Config, DestinationConfig, KeysConfig, SourceConfig } from './config.ts';
import { type ConfigFault, type Fitted, faultText, fit, type PathFault, placeFaults, yamlFaults } from './faults.ts';
import { type Adapters, destinationJsonSchema, type JsonSchema, jsonSchemaOf, sourceJsonSchema } from './json-schema.ts';
import { digestsOf } from './leaves.ts';
import { changeMarked, hideSecrets } from './marks.ts';
import { type ConfigPath, readYaml } from './places.ts';
import { type Readers, replaceReferences } from './references.ts';
import { nameFault, ruleFaults } from './rules.ts';
import { destinationKeys, fileSchema, sourceKeys } from './schema.ts';

/** A configuration, or every mistake that was found in it, in the order of the file. */
export type ConfigReading =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly faults: readonly ConfigFault[] };

/**
 * Reads a configuration: the text is parsed first, references are replaced in strings only, then everything is checked.
 * `file` is the absolute path of the text; paths inside are relative to it. It does no I/O: `readers` look references up.
 */
export function readConfig(text: string, file: string, readers: Readers, adapters: Adapters): ConfigReading {
  assert(isAbsolute(file), `the path of the configuration is absolute: ${file}`);
  const yaml = readYaml(text);
  const placed = (faults: readonly PathFault[]): ConfigReading => ({ ok: false, faults: placeFaults(file, yaml, faults) });
  const unreadable = yamlFaults(file, yaml);
  if (unreadable.length > 0) return { ok: false, faults: unreadable };
  const directory = dirname(file);
  const { value, faults: missing } = replaceReferences(yaml.value, readers, (path) => resolve(directory, path));
  const reading = new Reading(directory, adapters);
  const config = reading.config(file, value, shownOf(yaml.value, adapters));
  // A value whose reference is missing is not looked at a second time.
  const unresolved = new Set(missing.map(({ path }) => path.join('.')));
  const faults = [
    ...missing.map(({ path, message }) => valueFault(path, message)),
    ...reading.faults.filter(({ path }) => !unresolved.has(path.join('.'))),
  ];
  if (config === null || faults.length > 0) return placed(faults);
  const broken = ruleFaults(config, adapters, reading);
  return broken.length > 0 ? placed(broken) : { ok: true, config };
}

/** The same, but rejects a configuration with mistakes: `CONFIG_INVALID`, whose message lists all of them, one a line. */
export function parseConfig(text: string, file: string, readers: Readers, adapters: Adapters): Config {
  const reading = readConfig(text, file, readers, adapters);
  if (reading.ok) return reading.config;
  throw new WaybillError('CONFIG_INVALID', reading.faults.map(faultText).join('\n'));
}

/** One reading of a file: what was found wrong, and which paths it names. */
class Reading {
  readonly faults: PathFault[] = [];
  /** The paths that each destination writes to, and those that each source reads. */
  readonly written = new Map<string, readonly string[]>();
  readonly read = new Map<string, readonly string[]>();
  readonly #directory: string;
  readonly #adapters: Adapters;

  constructor(directory: string, adapters: Adapters) {
    this.#directory = directory;
    this.#adapters = adapters;
  }

  config(file: string, value: unknown, shown: unknown): Config | null {
    const parts = this.#keep(fit(fileSchema, this.#absolute(jsonSchemaOf(fileSchema), value, []), []));
    const raw = isRecord(value) ? value : {};
    const sources = this.#each(raw['sources'], 'sources', (name, item) => this.#source(name, item));
    const destinations = this.#each(raw['destinations'], 'destinations', (name, item) => this.#destination(name, item));
    if (parts === null) return null;
    const { ledger, api, telemetry, drain, log_level: logLevel } = parts;
    return {
      file,
      ledger: {
        origin: ledger.origin,
        path: ledger.path,
        keys: this.#keys(ledger.keys),
        publishMs: ledger.publish,
        witnesses: ledger.witnesses.map(({ vkey, timeout, ...witness }) => ({ ...witness, verifierKey: vkey, timeoutMs: timeout })),
        witnessQuorum: ledger.witness_quorum,
        limitBytes: ledger.limit ?? null,
        segmentBytes: ledger.segment,
        reservedBytes: ledger.reserve,
        retain: { ageMs: ledger.retain.age ?? null, bytes: ledger.retain.bytes ?? null },
      },
      api: apiConfig(api),
      sources,
      destinations,
      tracesEndpoint: telemetry.traces?.endpoint ?? null,
      drainMs: drain,
      logLevel,
      shown,
      digests: digestsOf(value),
    };
  }

  #keys(keys: z.output<typeof fileSchema>['ledger']['keys']): KeysConfig {
    if (typeof keys === 'object') return { from: 'configuration', ...keys, next: keys.next ?? null, lost: keys.lost ?? null };
    return { from: 'directory', path: keys ?? resolve(this.#directory, 'keys') };
  }

  #source(name: string, item: Readonly<Record<string, unknown>>): SourceConfig | null {
    const path = ['sources', name];
    const definition = this.#typed(path, item, 'source', this.#adapters.sources);
    if (definition === null) return null;
    const { common, own } = split(item, jsonSchemaOf(sourceKeys));
    const known = sourceJsonSchema(definition.type, definition);
    const read: string[] = [];
    const keys = this.#keep(fit(sourceKeys, common, path, known));
    const settings = this.#keep(fit(definition.config, this.#absolute(known, own, read), path, known));
    if (keys === null || settings === null) return null;
    this.read.set(name, read);
    return {
      name,
      type: keys.type,
      schema: keys.schema,
      idField: keys.id_field ?? null,
      onInvalid: keys.on_invalid,
      gapAfterMs: keys.gap_after,
      rate: keys.rate ?? null,
      renamedFrom: keys.renamed_from ?? null,
      settings,
    };
  }

  #destination(name: string, item: Readonly<Record<string, unknown>>): DestinationConfig | null {
    const path = ['destinations', name];
    const definition = this.#typed(path, item, 'destination', this.#adapters.sinks);
    if (definition === null) return null;
    const { common, own } = split(item, jsonSchemaOf(destinationKeys));
    const known = destinationJsonSchema(definition.type, definition);
    const paths: string[] = [];
    const keys = this.#keep(fit(destinationKeys, common, path, known));
    const settings = this.#keep(fit(definition.config, this.#absolute(known, own, paths), path, known));
    if (keys === null || settings === null) return null;
    this.written.set(name, paths);
    const traits = definition.traits(settings);
    return {
      name,
      type: keys.type,
      start: keys.start,
      format: keys.format,
      batch: {
        entries: keys.batch.entries ?? traits.batch.entries,
        bytes: keys.batch.bytes ?? traits.batch.bytes,
        waitMs: keys.batch.wait ?? traits.batch.waitMs,
      },
      inFlight: keys.in_flight,
      onReject: keys.on_reject,
      quarantineMax: keys.quarantine_max,
      timeoutMs: keys.timeout,
      retry: { minMs: keys.retry.min, maxMs: keys.retry.max },
      control: keys.control,
      targetChanged: keys.target_changed ?? null,
      renamedFrom: keys.renamed_from ?? null,
      maxLag: keys.max_lag ?? null,
      settings,
    };
  }

  #each<Item>(items: unknown, key: string, read: (name: string, item: Readonly<Record<string, unknown>>) => Item | null): Item[] {
    if (!isRecord(items)) return [];
    return Object.entries(items).flatMap(([name, item]) => {
      const wrong = nameFault(name);
      if (wrong !== null) this.faults.push({ path: [key, name], part: 'key', message: wrong, suggestion: null });
      if (!isRecord(item)) {
        this.faults.push(valueFault([key, name], 'expected keys, of which `type` is one'));
        return [];
      }
      const found = read(name, item);
      return found === null ? [] : [found];
    });
  }

  #typed<Definition>(path: ConfigPath, item: Readonly<Record<string, unknown>>, what: string, table: Readonly<Record<string, Definition>>) {
    const type = item['type'];
    const types = Object.keys(table);
    if (typeof type === 'string' && Object.hasOwn(table, type)) return table[type] ?? null;
    const known = `there is ${types.join(', ')}`;
    if (type === undefined) this.faults.push({ path: [...path, 'type'], part: 'key', message: `missing; ${known}`, suggestion: null });
    else {
      const word = typeof type === 'string' ? type : '';
      this.faults.push({ path: [...path, 'type'], part: 'value', message: `no such ${what}; ${known}`, suggestion: closest(word, types) });
    }
    return null;
  }

  #absolute(schema: JsonSchema, value: unknown, found: string[]): unknown {
    return changeMarked(schema, value, 'path', (path) => {
      if (typeof path !== 'string' || path === '') return path;
      const absolute = resolve(this.#directory, path);
      found.push(absolute);
      return absolute;
    });
  }

  #keep<Out>(fitted: Fitted<Out>): Out | null {
    if (fitted.ok) return fitted.value;
    this.faults.push(...fitted.faults);
    return null;
  }
}

/** The file as it may be shown: references stay references, literal secrets are hidden. */
function shownOf(value: unknown, adapters: Adapters): unknown {
  const file = jsonSchemaOf(fileSchema);
  const each = <Definition>(
    items: unknown,
    table: Readonly<Record<string, Definition>>,
    schemaOf: (type: string, definition: Definition) => JsonSchema,
  ) => {
    if (!isRecord(items)) return items;
    return Object.fromEntries(
      Object.entries(items).map(([name, item]) => {
        const type = isRecord(item) && typeof item['type'] === 'string' ? item['type'] : '';
        const definition = Object.hasOwn(table, type) ? table[type] : undefined;
        // Nobody knows which keys of an unknown type are secrets.
        return [name, definition === undefined ? null : hideSecrets(schemaOf(type, definition), item)];
      }),
    );
  };
  if (!isRecord(value)) return null;
  const { sources, destinations, ...rest } = value;
  return {
    ...(hideSecrets(file, rest) as Record<string, unknown>),
    sources: each(sources, adapters.sources, sourceJsonSchema),
    destinations: each(destinations, adapters.sinks, destinationJsonSchema),
  };
}

function split(item: Readonly<Record<string, unknown>>, common: JsonSchema) {
  const names = Object.keys(common.properties ?? {});
  const entries = Object.entries(item);
  return {
    common: Object.fromEntries(entries.filter(([key]) => names.includes(key))),
    own: Object.fromEntries(entries.filter(([key]) => !names.includes(key))),
  };
}

function valueFault(path: ConfigPath, message: string): PathFault {
  return { path, part: 'value', message, suggestion: null };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
