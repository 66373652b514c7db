import type { Demo, DemoStep } from '../api/shapes.ts';
import { ActionButton } from '../controls/action-button.tsx';
import { VerdictPanel } from './verdict-panel.tsx';

interface MinuteProps {
  readonly demo: Demo;
  readonly live: boolean;
  readonly act: (what: 'play' | 'compare' | 'kill') => void;
}

/** The guided minute of the demo: its steps, what came of each, and the verdict. */
export function Minute({ demo, live, act }: MinuteProps) {
  const { busy, steps, verdict, broken } = demo;
  const idle = busy === 'no' && live;
  const current = currentStep(steps);
  return (
    <section className="panel minute" aria-labelledby="minute-title">
      <div className="panel-head">
        <h2 id="minute-title">The guided minute</h2>
        <p className="panel-note">{noteOf(demo, steps)}</p>
        <div className="actions">
          <ActionButton look="first" off={!idle} act={() => act('play')}>
            {steps.some(({ state }) => state === 'done') ? 'Play again' : 'Play'}
          </ActionButton>
          <ActionButton off={!idle || broken.length > 0} act={() => act('compare')}>
            Compare everything
          </ActionButton>
          <ActionButton off={!idle} act={() => act('kill')}>
            kill -9
          </ActionButton>
        </div>
      </div>
      <ol className="steps">
        {steps.map((step, place) => (
          <Step key={step.title} step={step} number={place + 1} current={step === current} />
        ))}
      </ol>
      {verdict !== null && <VerdictPanel verdict={verdict} />}
    </section>
  );
}

function Step({ step, number, current }: { readonly step: DemoStep; readonly number: number; readonly current: boolean }) {
  const { title, note, state } = step;
  return (
    <li className={`step step-${state}`} aria-current={current ? 'step' : undefined}>
      <span className="step-number" aria-hidden="true">
        {state === 'done' ? '✓' : state === 'failed' ? '×' : number}
      </span>
      <h3>{title}</h3>
      <p>
        <span className="unseen">{WORDS[state]}: </span>
        {note}
      </p>
    </li>
  );
}

const WORDS: Readonly<Record<DemoStep['state'], string>> = { ahead: 'to come', now: 'now', done: 'done', failed: 'failed' };

function currentStep(steps: readonly DemoStep[]): DemoStep | undefined {
  return steps.find(({ state }) => state === 'now');
}

function noteOf({ busy }: Demo, steps: readonly DemoStep[]): string {
  if (busy === 'comparing') return 'Everything is read back and compared. The applications pause meanwhile.';
  if (busy === 'playing' && currentStep(steps) === undefined) return 'The process was killed, and starts again.';
  if (busy === 'playing') return 'Watch the picture below.';
  return 'One destination breaks, the process is killed, and nothing is lost. Or break things yourself.';
}
