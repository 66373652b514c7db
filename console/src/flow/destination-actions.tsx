import type { Client } from '../api/client.ts';
import type { Demo } from '../api/shapes.ts';
import { ActionButton } from '../controls/action-button.tsx';
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
  const verb = mark === 'paused' ? 'resume' : 'pause';
  const broken = demo?.broken.includes(name) === true;
  return (
    <>
      {demo?.breakable.includes(name) === true && (
        <ActionButton
          look={broken ? 'first' : 'break'}
          off={!live || demo.busy !== 'no'}
          act={() => run(client.turn(name, broken ? 'repair' : 'break'))}
        >
          {broken ? 'Repair' : 'Break'}
          <span className="unseen"> {name}</span>
        </ActionButton>
      )}
      {stuck && (
        <ActionButton off={!live} act={() => run(client.control(name, 'retry'))}>
          Retry now<span className="unseen"> {name}</span>
        </ActionButton>
      )}
      <ActionButton off={!live} act={() => run(client.control(name, verb))}>
        {verb === 'pause' ? 'Pause' : 'Resume'}
        <span className="unseen"> {name}</span>
      </ActionButton>
    </>
  );
}
