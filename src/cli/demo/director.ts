import type { ActParts, Acts } from './acts.ts';
import { createActs, verdictText } from './acts.ts';
import { MINUTE, type MinuteParts } from './minute.ts';
import type { Place } from './places.ts';
import type { DemoQuestion, DemoReply, DemoView, StepView, VerdictView } from './question.ts';
import { statusOf } from './readback.ts';
import type { Stage } from './stage.ts';

/** Does what the page of the demo asks for, one thing at a time. */
export interface Director {
  answer(question: DemoQuestion): Promise<DemoReply>;
  /** Whether every comparison so far agreed, and no step failed. */
  good(): boolean;
}

/** What a director works with. */
export interface DirectorParts extends ActParts {
  /** How long the guided minute lasts. */
  readonly lastsMs: number;
}

const KILL_AFTER_ANSWER_MS = 150;

/** Makes a director. */
export function createDirector(parts: DirectorParts): Director {
  const { stage, clock, say, ended } = parts;
  const acts = createActs(parts);
  let busy: DemoView['busy'] = 'no';
  let steps: readonly StepView[] = stepsAhead();
  let verdict: VerdictView | null = null;
  let good = true;

  const compare = async (): Promise<string> => {
    verdict = await acts.compare();
    if (!verdict.agree) throw new Error(verdictText(verdict));
    return verdictText(verdict);
  };

  /** Does something that takes a while; what fails is shown, and remembered for the end. */
  const begin = (what: DemoView['busy'], work: () => Promise<void>): void => {
    busy = what;
    work()
      .catch((error: unknown) => {
        if (ended.aborted) return;
        good = false;
        say(`FAILED: ${messageOf(error)}`);
      })
      .finally(() => (busy = 'no'));
  };

  const play = async (): Promise<void> => {
    steps = stepsAhead();
    verdict = null;
    await playMinute({ ...parts, ...acts, compare }, acts, (place, step) => {
      steps = steps.with(place, step);
      say(`${place + 1}/${MINUTE.length} ${step.title}: ${step.note}`);
    });
  };

  const kill = async (): Promise<void> => {
    // The page hears that it was done before its server is gone.
    await clock.sleep(KILL_AFTER_ANSWER_MS, ended);
    await acts.killAndStart();
  };

  const breakable = stage.places.filter(({ turn }) => turn !== null).map(({ name }) => name);
  return {
    good: () => good,
    async answer(question) {
      const refusal = question.action === 'look' ? null : refusalOf(question, busy, stage.places, acts.broken);
      if (refusal !== null) return refusal;
      const paused = question.action === 'compare' || question.action === 'play' ? await pausedOf(stage) : undefined;
      if (paused !== undefined) return refuse(`${paused} is paused and cannot catch up: resume it first`);
      if (question.action === 'play') begin('playing', play);
      else if (question.action === 'compare') begin('comparing', async () => void (await compare()));
      else if (question.action === 'kill') begin('playing', kill);
      else if ('destination' in question) await acts.turn(question.destination, question.action === 'break' ? 'broken' : 'whole');
      return { ok: true, view: { busy, breakable, broken: [...acts.broken], steps, verdict } };
    },
  };
}

async function playMinute(minute: MinuteParts, acts: Acts, show: (place: number, step: StepView) => void): Promise<void> {
  for (const name of acts.broken) await acts.turn(name, 'whole');
  for (const [place, { title, about, play }] of MINUTE.entries()) {
    show(place, { title, note: about, state: 'now' });
    try {
      show(place, { title, note: await play(minute), state: 'done' });
    } catch (error) {
      if (!minute.ended.aborted) show(place, { title, note: messageOf(error), state: 'failed' });
      throw error;
    }
  }
}

function stepsAhead(): StepView[] {
  return MINUTE.map(({ title, about }) => ({ title, note: about, state: 'ahead' }));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Why something cannot be done now; `null` when it can. */
function refusalOf(
  question: DemoQuestion,
  busy: DemoView['busy'],
  places: readonly Place[],
  broken: ReadonlySet<string>,
): DemoReply | null {
  if ('destination' in question) {
    const place = places.find(({ name }) => name === question.destination);
    if (place === undefined)
      return { ok: false, code: 'DESTINATION_UNKNOWN', message: `the demo has no destination ${question.destination}` };
    if (place.turn === null) return refuse(`${place.name} cannot be broken here`);
  }
  if (busy === 'playing') return refuse('the demo is in the middle of something; wait until it is over');
  if (busy === 'comparing') return refuse('everything is being compared; wait until it is over');
  const [first] = broken;
  if (question.action === 'compare' && first !== undefined) return refuse(`${first} is broken and cannot catch up: repair it first`);
  return null;
}

async function pausedOf(stage: Stage): Promise<string | undefined> {
  const destinations = (await statusOf(stage))?.destinations ?? {};
  return Object.keys(destinations).find((name) => destinations[name]?.state === 'paused');
}

function refuse(message: string): DemoReply {
  return { ok: false, code: 'COMMAND_REFUSED', message };
}
