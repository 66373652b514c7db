import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A child process of the bench that is up. */
export interface Running {
  readonly pid: number;
  readonly child: ChildProcess;
  /** Ends it, and waits until it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** What the receiver saw on one path. */
export interface Seen {
  readonly events: number;
  readonly requests: number;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly outOfOrder: number;
}

/** The figures of the receiver: by path, and the time from sending to receiving. */
export interface ReceiverFigures {
  readonly seen: Readonly<Record<string, Seen>>;
  readonly latencyUs: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** The figures of one load. */
export interface LoadFigures {
  readonly sent: number;
  readonly pushedBack: number;
  readonly seconds: number;
  readonly answerUs: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** The path of a file beside this one. */
export function benchFile(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

/** Wraps a child so that it can be stopped and waited for. */
export function running(child: ChildProcess): Running {
  const gone = once(child, 'exit');
  return {
    pid: child.pid ?? 0,
    child,
    async stop(signal = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      await gone;
    },
  };
}

/** Starts the receiver on a port and waits until it listens. */
export async function startReceiver(port: number, options: { latency?: boolean } = {}): Promise<Running> {
  const args = [benchFile('receiver.ts'), '--port', String(port), ...(options.latency === true ? ['--latency'] : [])];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return running(child);
}

/** Asks the receiver what it saw. */
export async function receiverFigures(port: number): Promise<ReceiverFigures> {
  return (await (await fetch(`http://127.0.0.1:${port}/figures`)).json()) as ReceiverFigures;
}

/** Runs one load to its end. Names and values are the options of `load.ts`. */
export async function runLoad(options: Readonly<Record<string, string | number>>): Promise<LoadFigures> {
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(process.execPath, [benchFile('load.ts'), ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`the load generator ended with ${code}`);
  return JSON.parse(text) as LoadFigures;
}

/** Waits until a condition holds, asking every 20 ms; fails after `seconds`. */
export async function until(what: string, seconds: number, holds: () => Promise<boolean> | boolean): Promise<void> {
  const end = performance.now() + seconds * 1_000;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited ${seconds} s in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
