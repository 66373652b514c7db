import type { MaxLag } from '../../src/config/config.ts';
import type { Chance } from './chance.ts';
import type { DiskOdds } from './disk.ts';
import type { ProducerOdds } from './producer.ts';
import type { OriginOdds } from './pull-origin.ts';
import type { ReceiverKind, ReceiverOdds } from './receiver.ts';

/** How long faults last, in virtual milliseconds. */
const SAFETY_MS = 5_000;

/** One destination of a scenario. `file` is the real file sink on the virtual disk. */
export interface DestinationPlan {
  readonly name: string;
  readonly kind: ReceiverKind | 'file';
  readonly odds: ReceiverOdds;
  readonly control: 'all' | 'own' | 'none';
  readonly onReject: 'halt' | 'quarantine';
  readonly inFlight: number;
  /** It exists from the beginning, or is added by a restart later. */
  readonly addedAtMs: number;
  /** Where it begins when it is new. */
  readonly start: 'beginning' | 'now';
  /** How long one attempt may take. */
  readonly timeoutMs: number;
  /** For `file`: the size at which a file is set apart; `null`: never. */
  readonly rotateBytes: number | null;
  /** Texts that it refuses. */
  readonly poison: readonly string[];
  /** How far behind it may be before retention detaches it; `null`: retention waits for it. */
  readonly maxLag: MaxLag | null;
}

/**
 * Everything that is drawn before a seed runs. Odds of what happens to the whole machine are mean intervals in milliseconds; 0 is
 * never.
 */
export interface Plan {
  readonly safetyMs: number;
  readonly disk: DiskOdds;
  readonly everyMs: Readonly<Record<MachineFault, number>>;
  readonly segmentBytes: number;
  /** How much the ledger may take, until an operator raises the limit for the end. */
  readonly limitBytes: number | null;
  readonly ringBytes: number;
  readonly groupBytes: number;
  readonly memtableEntries: number;
  /** What the ledger keeps; `null` twice: everything. */
  readonly retain: { readonly ageMs: number | null; readonly bytes: number | null };
  readonly pull: readonly (OriginOdds & { readonly name: string; readonly everyMs: number })[];
  readonly push: readonly (ProducerOdds & { readonly name: string; readonly senders: number })[];
  readonly destinations: readonly DestinationPlan[];
}

/** What can happen to the whole machine, or be done to it. */
export type MachineFault =
  | 'kill'
  | 'power'
  | 'killThenPower'
  | 'pause'
  | 'restart'
  | 'diskFull'
  | 'clockStep'
  | 'outage'
  | 'lostData'
  | 'operator'
  | 'zombie'
  | 'clockWhileDown'
  | 'aimedKill'
  | 'lostDerived'
  | 'brokenSegment';

/** No fault at all: the odds of the liveness phase. */
export const CALM_RECEIVER = {
  latencyMs: 1,
  unreachable: 0,
  busy: 0,
  unauthorized: 0,
  answerLost: 0,
  hangAfter: 0,
  hangBefore: 0,
  late: 0,
} as const satisfies ReceiverOdds;

/** A disk that never fails. */
export const CALM_DISK = { latencyMs: 0.3, slow: 0, fail: 0 } as const satisfies DiskOdds;

const MEANS: Readonly<Record<Exclude<MachineFault, keyof typeof LATER_MEANS>, readonly [number, number]>> = {
  kill: [500, 4_000],
  power: [700, 5_000],
  killThenPower: [1_000, 5_000],
  pause: [1_500, 6_000],
  restart: [1_500, 6_000],
  diskFull: [2_000, 6_000],
  clockStep: [2_000, 8_000],
  outage: [1_500, 6_000],
  lostData: [3_000, 8_000],
  operator: [200, 1_500],
  zombie: [500, 3_000],
};

/** Drawn apart from the others, so that these did not change what a seed means. */
const LATER_MEANS = {
  clockWhileDown: [1_000, 5_000],
  aimedKill: [300, 2_000],
  lostDerived: [500, 3_000],
  brokenSegment: [700, 4_000],
} as const satisfies Partial<Record<MachineFault, readonly [number, number]>>;

/** How often each of these happens: every one is on in a part of the seeds. */
function drawMeans<Fault extends string>(
  chance: Chance,
  means: Readonly<Record<Fault, readonly [number, number]>>,
  share: number,
): Record<Fault, number> {
  const faults = Object.keys(means) as Fault[];
  return Object.fromEntries(
    faults.map((fault) => [fault, chance.hit(share) ? Math.round(chance.logarithmic(...(means[fault] as readonly [number, number]))) : 0]),
  ) as Record<Fault, number>;
}

/** Draws a scenario: each fault is on or off, and what is on gets odds of its own. */
export function drawPlan(chance: Chance): Plan {
  const everyMs = { ...drawMeans(chance, MEANS, 0.55), ...drawMeans(chance.fork('later'), LATER_MEANS, 0.35) };
  const push = Array.from({ length: chance.int(1, 2) }, (_, at) => drawPush(chance, `push${at}`));
  const largeRuns = push.some(({ large }) => large > 0);
  const retention = chance.fork('retention');
  const plan: Plan = {
    safetyMs: SAFETY_MS,
    disk: {
      latencyMs: round(chance.logarithmic(0.1, 2)),
      slow: odds(chance, 0.001, 0.02),
      fail: chance.hit(0.3) ? round(chance.logarithmic(0.0002, 0.003)) : 0,
    },
    everyMs,
    segmentBytes: chance.pick([65_536, 131_072, 1_048_576]),
    limitBytes: chance.hit(0.2) ? chance.int(150_000, 500_000) : null,
    // A run of many parts is cut in half by a crash only when its parts are flushed one after another.
    groupBytes: largeRuns ? 32_768 : chance.pick([4_096, 32_768, 4 << 20]),
    ringBytes: chance.pick([16_384, 131_072, 4 << 20]),
    memtableEntries: chance.pick([16, 64, 1_024]),
    pull: Array.from({ length: chance.int(0, 2) }, (_, at) => drawPull(chance, `pull${at}`)),
    push,
    retain: EVERYTHING,
    destinations: drawDestinations(chance).map((destination) => ({ ...destination, maxLag: null })),
  };
  if (retention.hit(0.3)) return retaining(plan, retention);
  return plan.everyMs.brokenSegment > 0 ? filling(plan, chance.fork('filling')) : plan;
}

/** The same scenario with so many events that segments are full in so short a time. */
function filling(plan: Plan, chance: Chance): Plan {
  const { kill, power, restart } = plan.everyMs;
  const push = plan.push.map((odds) => ({ ...odds, eventsMax: chance.int(20, 50), pauseMs: Math.min(odds.pauseMs, 60), large: 0 }));
  return { ...plan, everyMs: { ...plan.everyMs, kill: 3 * kill, power: 3 * power, restart: 3 * restart }, segmentBytes: 49_152, push };
}

function drawPull(chance: Chance, name: string): Plan['pull'][number] {
  const identified = chance.hit(0.6);
  return {
    name,
    everyMs: Math.round(chance.logarithmic(20, 100)),
    partitions: chance.int(1, 3),
    identified,
    rewinds: identified && chance.hit(0.5),
    forgets: chance.hit(0.7),
    bad: odds(chance, 0.01, 0.1),
    repeated: odds(chance, 0.01, 0.2),
    batchMax: chance.int(1, 12),
    ends: chance.fork(`ends/${name}`).hit(0.3) ? 0.03 : 0,
  };
}

function drawPush(chance: Chance, name: string): Plan['push'][number] {
  return {
    name,
    senders: chance.int(1, 3),
    schema: chance.pick(['json', 'waybill/1']),
    pauseMs: Math.round(chance.logarithmic(20, 200)),
    eventsMax: chance.int(1, 10),
    bad: odds(chance, 0.005, 0.05),
    repeated: odds(chance, 0.02, 0.3),
    conflict: odds(chance, 0.01, 0.1),
    twin: odds(chance, 0.05, 0.5),
    hedged: odds(chance, 0.05, 0.5),
    partial: chance.pick([0, 0.5, 1]),
    keyed: odds(chance, 0.05, 0.4),
    heldBack: odds(chance, 0.02, 0.2),
    givesUp: odds(chance, 0.1, 0.6),
    large: chance.hit(0.12) ? round(chance.logarithmic(0.02, 0.2)) : 0,
  };
}

const EVERYTHING: Plan['retain'] = { ageMs: null, bytes: null };

/** The same scenario with retention: more events and small segments, so that there is something to remove in so short a time. */
function retaining(plan: Plan, chance: Chance): Plan {
  const byAge = chance.hit(0.5);
  const { kill, power, restart } = plan.everyMs;
  return {
    ...plan,
    // Retention looks once a second, and is to find something before the next crash.
    everyMs: {
      ...plan.everyMs,
      kill: 4 * kill,
      power: 4 * power,
      restart: 4 * restart,
      ...(byAge ? { clockStep: Math.round(chance.logarithmic(400, 2_000)) } : {}),
    },
    segmentBytes: 65_536,
    limitBytes: plan.limitBytes === null ? null : plan.limitBytes * 2,
    retain: {
      ageMs: byAge ? Math.round(chance.logarithmic(200, 60_000)) : null,
      bytes: byAge && chance.hit(0.8) ? null : Math.round(chance.logarithmic(80_000, 300_000)),
    },
    push: plan.push.map((odds) => ({ ...odds, eventsMax: chance.int(15, 40), large: 0 })),
    // Whoever lies about its place cannot be told what it will not get.
    destinations: plan.destinations.map((one) => ({ ...one, maxLag: one.kind === 'liar' ? null : drawMaxLag(chance) })),
  };
}

function drawMaxLag(chance: Chance): MaxLag | null {
  if (chance.hit(0.5)) return null;
  if (chance.hit(0.5)) return { by: 'bytes', bytes: chance.int(20_000, 150_000) };
  return { by: 'age', ms: Math.round(chance.logarithmic(200, 2_000)) };
}

function drawDestinations(chance: Chance): Omit<DestinationPlan, 'maxLag'>[] {
  const kinds: (ReceiverKind | 'file')[] = ['file', 'position', 'key', 'none', 'objects', 'liar'];
  for (let at = kinds.length - 1; at > 0; at--) {
    const other = chance.int(0, at);
    [kinds[at], kinds[other]] = [kinds[other] as ReceiverKind, kinds[at] as ReceiverKind];
  }
  return kinds.slice(0, chance.int(2, 4)).map((kind) => drawDestination(chance, kind));
}

function drawDestination(chance: Chance, kind: ReceiverKind | 'file'): Omit<DestinationPlan, 'maxLag'> {
  const concurrent = kind === 'position' || kind === 'objects';
  const refuses = kind !== 'file' && kind !== 'liar' && chance.hit(0.4);
  const added = chance.hit(0.25);
  return {
    name: kind,
    kind,
    odds: {
      latencyMs: round(chance.logarithmic(0.5, 20)),
      unreachable: odds(chance, 0.01, 0.3),
      busy: odds(chance, 0.01, 0.3),
      unauthorized: odds(chance, 0.002, 0.02),
      answerLost: odds(chance, 0.01, 0.2),
      hangAfter: odds(chance, 0.01, 0.1),
      hangBefore: odds(chance, 0.01, 0.1),
      late: odds(chance, 0.01, 0.1),
    },
    control: chance.pick(['all', 'all', 'own', 'none']),
    onReject: chance.pick(['halt', 'quarantine']),
    inFlight: concurrent ? chance.int(1, 4) : 1,
    addedAtMs: added ? chance.int(500, SAFETY_MS) : 0,
    start: added && chance.hit(0.5) ? 'now' : 'beginning',
    timeoutMs: Math.round(chance.logarithmic(100, 2_000)),
    rotateBytes: chance.hit(0.5) ? chance.int(4_096, 40_000) : null,
    poison: refuses
      ? chance.pick([['7,"pad"'], ['13,"pad"', '77,"pad"'], ['"type":"destination.gap"', '9,"pad"'], ['"type":"clock"', '3,"pad"']])
      : [],
  };
}

function odds(chance: Chance, low: number, high: number): number {
  return chance.hit(0.6) ? round(chance.logarithmic(low, high)) : 0;
}

function round(value: number): number {
  return Number(value.toPrecision(2));
}
