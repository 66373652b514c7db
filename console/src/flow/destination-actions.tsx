import type { Client } from '../api/client.ts';
import type { Demo } from '../api/shapes.ts';
import type { DestinationView } from './destination-view.ts';

interface ActionsProps {
  readonly view: DestinationView;
  readonly demo: Demo | null;
  readonly live: boolean;
  readonly client: Client;
  /** Does something, and shows what went wrong. */
  readonly run: (work: Promise<unknown>) => void;
}

/** What can be done to a destination now. What the token does not allow is answered so. */
export function DestinationActions({ view: { name, mark }, demo, live, client, run }: ActionsProps) {
  const stuck = mark === 'waiting' || mark === 'halted';
  return (
    <>
      {demo?.breakable.includes(name) === true && (
        <BreakButton name={name} demo={demo} live={live} turn={(verb) => run(client.turn(name, verb))} />
      )}
      {stuck && (
        <button type="button" className="button" disabled={!live} onClick={() => run(client.control(name, 'retry'))}>
          Retry now<span className="unseen"> {name}</span>
        </button>
      )}
      {mark === 'paused' ? (
        <button type="button" className="button" disabled={!live} onClick={() => run(client.control(name, 'resume'))}>
          Resume<span className="unseen"> {name}</span>
        </button>
      ) : (
        <button type="button" className="button" disabled={!live} onClick={() => run(client.control(name, 'pause'))}>
          Pause<span className="unseen"> {name}</span>
        </button>
      )}
    </>
  );
}

interface BreakProps {
  readonly name: string;
  readonly demo: Demo;
  readonly live: boolean;
  readonly turn: (verb: 'break' | 'repair') => void;
}

function BreakButton({ name, demo, live, turn }: BreakProps) {
  const broken = demo.broken.includes(name);
  return (
    <button
      type="button"
      className={broken ? 'button button-first' : 'button button-break'}
      disabled={!live || demo.busy !== 'no'}
      onClick={() => turn(broken ? 'repair' : 'break')}
    >
      {broken ? 'Repair' : 'Break'}
      <span className="unseen"> {name}</span>
    </button>
  );
}
