import { isWaybillError } from '../../src/contracts/errors.ts';
import type { Ports } from '../../src/contracts/ports.ts';
import { asIndex } from '../../src/contracts/units.ts';
import { type KeptEntry, type Restored, restoreLedger } from '../../src/pipeline/restore.ts';
import { file } from '../../src/sinks/file.ts';
import type { Chance } from './chance.ts';
import type { VirtualDisk } from './disk.ts';
import { LEDGER_PATH, ledgerOptions, OUT_PATH } from './pipeline.ts';
import { portsOf } from './process.ts';
import type { Plan } from './scenario.ts';
import type { World } from './world.ts';

/** How often a restore is killed at most, so that it ends. */
const KILLS_MAX = 6;

/** What a restore works on. */
export interface RestoreScene {
  readonly world: World;
  readonly plan: Plan;
  readonly disk: VirtualDisk;
  /** The file destination that has every entry. */
  readonly destination: string;
}

/**
 * The whole ledger is lost, and is restored from what the file sink wrote. The restore is killed again and again, wherever it is, and
 * begun again, until the ledger is there. Answers what was restored; `null`: it was there after a kill that came too late to tell.
 */
export async function loseAndRestore(scene: RestoreScene): Promise<Restored | null> {
  const { world, disk } = scene;
  const chance = world.chance.fork('restore');
  disk.wipe('/data');
  world.happened('ledger lost and restored', `from ${scene.destination}`);
  for (let kills = 0; ; ) {
    const outcome = await restoreOnce(scene, chance, kills < KILLS_MAX && chance.hit(0.7));
    if (outcome === 'failed') return null;
    if (outcome !== 'killed') return outcome === 'there' ? null : outcome;
    kills += 1;
  }
}

/** One process that restores. It is killed in the middle of an operation on the new ledger when it has to be. */
async function restoreOnce(scene: RestoreScene, chance: Chance, killed: boolean): Promise<Restored | 'there' | 'killed' | 'failed'> {
  const { world, plan, disk, destination } = scene;
  const life = world.begin();
  let outcome: Restored | 'there' | 'killed' | 'failed' | null = null;
  if (killed) {
    const spring = (): void => {
      if (outcome !== null) return;
      outcome = 'killed';
      life.end();
      disk.kill(life);
      world.happened('kill in a restore');
      if (chance.hit(0.5)) disk.cutPower();
    };
    disk.aim = {
      names: /^(open|write|truncate|sync|rename|remove|mkdir) \/data/,
      operations: Math.round(chance.logarithmic(1, 80)),
      spring,
    };
  }
  const { origin, segmentBytes, reservedBytes } = ledgerOptions(plan);
  const options = {
    origin,
    into: LEDGER_PATH,
    segmentBytes,
    reservedBytes,
    heads: [],
    continues: null,
    signed: null,
    destination,
    onProgress: () => {},
  };
  const restore = async (): Promise<void> => {
    try {
      const ports = portsOf(world, life, disk);
      outcome = await restoreLedger({ ...options, entries: keptEntries(destination, origin, ports) }, ports);
    } catch (error) {
      if (!isWaybillError(error)) throw error;
      // A kill behind the last rename leaves the ledger where it belongs.
      outcome = error.code === 'LEDGER_EXISTS' ? 'there' : 'failed';
      if (outcome === 'failed') world.fail(`the ledger cannot be restored: ${error.code} ${error.message}`);
    }
  };
  world.watch('restore', restore());
  await world.run(world.time + 60_000, () => outcome !== null);
  disk.aim = null;
  life.end();
  disk.kill(life);
  return outcome ?? 'failed';
}

/** Everything that the file sink wrote, as the command reads it back. */
async function* keptEntries(name: string, origin: string, ports: Ports): AsyncGenerator<KeptEntry> {
  const settings = { path: OUT_PATH };
  await file.claim?.(settings, { name, origin, ports });
  const sink = await file.open(settings, { name, origin, ports, cursor: asIndex(Number.MAX_SAFE_INTEGER), receipt: null });
  try {
    if (sink.readBack === undefined) throw new Error('the file sink cannot be read back');
    yield* sink.readBack(new AbortController().signal);
  } finally {
    await sink.close();
  }
}
