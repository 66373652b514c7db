import type { Ports } from '../../contracts/ports.ts';
import { APPLICATIONS } from './applications.ts';
import { type Pace, type Sent, sendStory } from './sender.ts';
import type { Stage } from './stage.ts';
import { openStory } from './story.ts';

/** The applications at work. */
export interface Load {
  readonly sent: Sent;
  /** Lets an application lose an event before it is sent, so that its numbers have a hole. */
  loseOne(application: string): void;
  /** How many events were lost so. */
  lost(): number;
  /** Lets every application pause; resolves once all that they sent is acknowledged. */
  hold(): Promise<void>;
  /** Ends the pause. */
  release(): void;
  /** Lets every application send what it has and end. Rejects with what went wrong in one of them. */
  end(): Promise<void>;
  /** Rejects with what went wrong in one of them, and never resolves otherwise than `end`. */
  readonly going: Promise<void>;
}

/** Starts the applications. `ended` gives everything up. */
export function startLoad(stage: Stage, pace: Pace, ports: Pick<Ports, 'clock' | 'random' | 'http'>, ended: AbortSignal): Load {
  const story = openStory(ports.random);
  const sent: Sent = { acknowledged: new Map(), repeats: 0, duplicates: 0 };
  const stopping = new AbortController();
  const gate = createGate(APPLICATIONS.length);
  const senders = APPLICATIONS.map(({ name, producer }) => {
    const target = { url: `${stage.api}/v1/events?source=${name}`, token: stage.tokens.get(name) ?? '' };
    return sendStory({ producer, story, target, pace, pass: gate.pass }, sent, ports, stopping.signal, ended);
  });
  const going = Promise.all(senders).then(() => {});
  // Whoever waits is told; nobody has to wait.
  going.catch(() => {});
  let lost = 0;
  return {
    sent,
    loseOne(application) {
      story.loseOne(APPLICATIONS.find(({ name }) => name === application)?.producer ?? '');
      lost += 1;
    },
    lost: () => lost,
    hold: () => Promise.race([gate.hold(), going]),
    release: gate.release,
    end() {
      stopping.abort();
      gate.release();
      return going;
    },
    going,
  };
}

interface Gate {
  readonly pass: () => Promise<void>;
  readonly hold: () => Promise<void>;
  readonly release: () => void;
}

/** Where senders stop between two requests while they are held. */
function createGate(senders: number): Gate {
  let held: PromiseWithResolvers<void> | null = null;
  let quiet = Promise.withResolvers<void>();
  let stopped = 0;
  return {
    async pass(): Promise<void> {
      if (held === null) return;
      stopped += 1;
      if (stopped === senders) quiet.resolve();
      await held.promise;
    },
    hold(): Promise<void> {
      held ??= Promise.withResolvers<void>();
      return quiet.promise;
    },
    release(): void {
      held?.resolve();
      held = null;
      stopped = 0;
      quiet = Promise.withResolvers<void>();
    },
  };
}
