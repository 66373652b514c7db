import type { Heads } from '../../src/contracts/heads.ts';
import type { Ports } from '../../src/contracts/ports.ts';
import { asSize } from '../../src/contracts/units.ts';
import type { Destination } from '../../src/delivery/destination.ts';
import type { Intake } from '../../src/intake/sequencer.ts';
import type { EmbeddedLedger } from '../../src/ledger/embedded/embedded.ts';
import type { OpenIdentities } from '../../src/ledger/identities/identities.ts';
import { type Retention, startRetention } from '../../src/pipeline/retention.ts';
import type { Tree } from '../../src/tree/follower.ts';
import type { LedgerWatch } from './ledger-check.ts';
import type { Plan } from './scenario.ts';
import type { World } from './world.ts';

/** What retention works on in one life of the process. */
export interface RetentionParts {
  readonly world: World;
  readonly plan: Plan;
  readonly watch: LedgerWatch;
  readonly ledger: EmbeddedLedger;
  readonly identities: OpenIdentities;
  readonly tree: Tree;
  readonly heads: Pick<Heads, 'published'>;
  readonly intake: Intake;
  readonly ports: Pick<Ports, 'clock' | 'log'>;
  readonly destinations: ReadonlyMap<string, Destination>;
}

/**
 * The product's retention, with somebody who looks at what it removes: never what nobody has read, so that the comparison at the end has
 * every entry, and by age never what only a step of the clock has made old.
 */
export function watchedRetention(parts: RetentionParts): Retention {
  const { world, plan, watch, ledger, identities, tree, heads, intake, ports, destinations } = parts;
  const offsetAtBirth = world.wallOffsetMs;
  let confirmed = false;
  const check = ({ through, reason }: Readonly<Record<string, unknown>>): void => {
    const { ageMs } = plan.retain;
    if (reason !== 'age' || ageMs === null || confirmed) return;
    const { entry } = watch.entry(Number(through));
    const age = world.wall() - world.wallOffsetMs + offsetAtBirth - Date.parse(entry.received_at);
    if (age < ageMs) world.fail(`entry ${String(through)} is removed by age after ${age} ms, although the clock stepped`);
  };
  const retention = startRetention({
    ledger,
    identities,
    tree: { size: () => asSize(Math.min(tree.size(), watch.seen)), pin: (to) => tree.pin(to), root: (size) => tree.root(size) },
    heads,
    intake: {
      control: (type, facts, key) => {
        if (type === 'prune') {
          world.happened('entries removed by retention', `through ${String(facts['through'])}`);
          check(facts);
        }
        return intake.control(type, facts, key);
      },
      clockDoubt: () => intake.clockDoubt(),
      checkClock: () => intake.checkClock(),
      confirmClock: () => intake.confirmClock(),
    },
    ports,
    config: () => ({ ledger: { retain: plan.retain }, destinations: plan.destinations }) as never,
    destinations,
  });
  return {
    ...retention,
    confirmClock() {
      confirmed = true;
      return retention.confirmClock();
    },
  };
}
