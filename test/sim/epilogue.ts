import { declaredGone } from './control-check.ts';
import { Damage } from './damage-watch.ts';
import { fileText } from './file-check.ts';
import type { ReadEntry } from './ledger-check.ts';
import { Machine } from './machine.ts';
import { OUT_PATH, openPipeline } from './pipeline.ts';
import { PushSource } from './producer.ts';
import { loseAndRestore } from './restore.ts';
import type { Scene } from './run.ts';
import type { Life } from './world.ts';

/** How long senders go on with the restored ledger. */
const GOES_ON_MS = 1_000;
/** Senders of another process have other numbers. */
const NUMBERS_FROM = 100;

/**
 * In some of the seeds in which the file destination has every entry, the ledger is lost when all is over, and restored from the file;
 * then a new process goes on with it, under the senders of before: what they send again has to be known. `null`: not in this seed.
 */
export async function afterTheLoss(scene: Scene, entries: readonly ReadEntry[]): Promise<Scene | null> {
  const { world, plan, disk, receivers, known, ledger, heads, witness, checkpoints, configuration, naming } = scene;
  const file = plan.destinations.find(({ kind }) => kind === 'file');
  const chance = world.chance.fork('loss');
  if (file === undefined || !chance.hit(0.5)) return null;
  const lines = fileText(disk, OUT_PATH).split('\n').slice(0, -1);
  const choices = configuration.choicesOf(file.name);
  const whole = lines.length === entries.length && choices.length === 1 && declaredGone(file.name, entries).size === 0;
  if (!whole || choices[0] !== 'all' || known.startOf(file.name) !== 0) return null;
  const restored = await loseAndRestore({ world, plan, disk, destination: file.name });
  if (world.violation !== null) return scene;
  if (restored !== null) heads.head(restored);
  checkpoints.forget();

  // The restored ledger does not know how far a source is beyond its last entry, so one that has thrown that away cannot go on.
  const origins = scene.origins.filter(({ odds }) => !odds.forgets);
  const after = { ...plan, pull: plan.pull.filter(({ forgets }) => !forgets), destinations: [{ ...file, addedAtMs: 0 }] };
  const given = { receivers, origins, known, watch: ledger, heads, witness, checkpoints, configuration, naming };
  const open = (life: Life) => openPipeline({ world, plan: after, disk, life, ...given });
  const machine = new Machine(world, disk, open);
  const producers = scene.producers.map((before) => {
    const producer = new PushSource(world, scene.book, machine, before.name, before.odds);
    producer.recent.push(...before.recent);
    return producer;
  });
  const damage = new Damage(world, disk, machine, true);
  machine.attendant = damage;
  machine.start();
  for (const producer of producers) producer.start(NUMBERS_FROM);
  world.plan(GOES_ON_MS * chance.next(), () => machine.crash(chance.hit(0.5)));
  await world.run(world.time + GOES_ON_MS);
  for (const producer of producers) producer.producing = false;
  return { ...scene, plan: after, machine, origins, producers, reach: { ...scene.reach, machine, damage } };
}
