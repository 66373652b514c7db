import { isWaybillError, WaybillError } from '../../src/contracts/errors.ts';
import type { Chance } from './chance.ts';
import type { Configuration, DestinationSettings } from './configuration.ts';
import type { Machine } from './machine.ts';
import type { Plan } from './scenario.ts';
import type { World } from './world.ts';

/** What an operator who changes the file can reach. */
export interface ReloadReach {
  readonly world: World;
  readonly machine: Machine;
  readonly configuration: Configuration;
  readonly destinations: Plan['destinations'];
}

/** Why a reload of the simulation fails on purpose: a part of the new configuration cannot be started. */
export const CANNOT_START: WaybillError = new WaybillError('LISTEN_FAILED', 'a part of the new configuration cannot be started');

/** In two of three seeds an operator changes the file now and then and has it read again, until somebody calls the answer. */
export function beginReloads(reach: ReloadReach): () => void {
  const chance = reach.world.chance.fork('reload');
  const mean = chance.hit(0.67) ? chance.logarithmic(150, 3_000) : 0;
  let over = mean === 0;
  const again = (): void => {
    reach.world.plan(mean * (0.2 + 1.6 * chance.next()), () => {
      if (over) return;
      change(reach, chance);
      again();
    });
  };
  if (!over) again();
  return () => {
    over = true;
  };
}

/** An operator takes the word out that acted already, and puts it back once the process has read that. */
export function correctTarget({ world, machine, configuration }: Omit<ReloadReach, 'destinations'>, name: string): void {
  const before = configuration.of(name);
  const after: DestinationSettings = { ...before, word: before.word === null ? 'continue' : null, version: before.version + 1 };
  configuration.wrote(before, after);
  configuration.set(after);
  world.tell(`operator: target_changed of ${name} is ${String(after.word)}`);
  machine.pipeline?.reload(after, false).catch((error: unknown) => {
    world.tell(`reload: ${String(error)}`);
    if (!isWaybillError(error)) world.fail(`a reload failed: ${error instanceof Error ? error.stack : String(error)}`);
  });
}

/** Saves a changed file and asks the process to read it. Without a process the next one finds it. */
function change({ world, machine, configuration, destinations }: ReloadReach, chance: Chance): void {
  const { name, kind } = chance.pick(destinations);
  const before = configuration.of(name);
  const after = changed(before, kind === 'file', kind === 'position' || kind === 'objects', chance);
  configuration.wrote(before, after);
  const fails = chance.hit(0.15);
  world.happened(fails ? 'reload that fails' : 'reload', JSON.stringify(after));
  // A file that cannot be taken over is put back by whoever wrote it.
  if (fails) configuration.wrote(after, before);
  else configuration.set(after);
  const { pipeline } = machine;
  if (!machine.up || pipeline === null) return;
  pipeline.reload(after, fails).catch((error: unknown) => {
    world.tell(`reload: ${String(error)}`);
    const expected = isWaybillError(error) && (error.code === 'RELOAD_FAILED' || error.code === 'COMMAND_REFUSED');
    if (!expected) world.fail(`a reload failed: ${error instanceof Error ? error.stack : String(error)}`);
  });
}

function changed(before: DestinationSettings, isFile: boolean, concurrent: boolean, chance: Chance): DestinationSettings {
  const after = { ...before, version: before.version + 1 };
  const what = chance.pick(['presence', 'format', 'control', 'inFlight', 'batch', 'timeout', 'target', 'word'] as const);
  if (!before.present || what === 'presence') return { ...after, present: !before.present };
  // What a file holds is compared line by line with what one choice gives.
  if (what === 'format' && !isFile) return { ...after, format: before.format === 'native' ? 'padded' : 'native' };
  if (what === 'control' && !isFile) return { ...after, control: chance.pick(['all', 'own', 'none']) };
  if (what === 'inFlight' && concurrent) return { ...after, inFlight: chance.int(1, 4) };
  // Sometimes the word is still there from the last time, and must not be taken for a new one.
  if (what === 'target' && !isFile) return { ...after, target: before.target + 1, word: 'continue' };
  if (what === 'word') return { ...after, word: null };
  if (what === 'timeout') return { ...after, timeoutMs: Math.round(chance.logarithmic(100, 2_000)) };
  // Another version alone draws another size of batches.
  return after;
}
