import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The command as it is in this checkout. */
export const MAIN: string = fileURLToPath(new URL('../../bin/waybill.js', import.meta.url));

/** A real process of a test that serves: `waybill run`, if nothing else is said. */
export interface WaybillProcess {
  readonly url: string;
  readonly child: ChildProcess;
  /** What it wrote to standard error so far. */
  log(): string;
  /** Ends it with a signal and waits until it is gone. Gives the exit code, or null after a signal. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** Writes a configuration and creates the ledger that it names. */
export function initWaybill(directory: string, yaml: string): string {
  const file = `${directory}/waybill.yaml`;
  writeFileSync(file, yaml);
  execFileSync(process.execPath, [MAIN, 'init', '-c', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  return file;
}

/** Starts `waybill run` and waits until it accepts events. */
export function startWaybill(file: string, port: number): Promise<WaybillProcess> {
  return startServer(['run', '-c', file], `http://127.0.0.1:${port}`, '/readyz');
}

/** Starts a command that serves at `url`, and waits until it answers there with 2xx. */
export async function startServer(words: readonly string[], url: string, ready: string): Promise<WaybillProcess> {
  const child = spawn(process.execPath, [MAIN, ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  await until(`waybill ${words.join(' ')} to be ready`, async () => {
    if (child.exitCode !== null) throw new Error(`waybill ended with ${child.exitCode}:\n${log}`);
    return fetch(`${url}${ready}`).then(
      (answer) => answer.ok,
      () => false,
    );
  });
  return {
    url,
    child,
    log: () => log,
    async end(signal) {
      if (child.exitCode === null && child.signalCode === null) {
        const gone = once(child, 'exit');
        child.kill(signal);
        await gone;
      }
      return child.exitCode;
    },
  };
}

/** Waits until a condition holds, asking every 20 ms; fails after a minute. */
export async function until(what: string, holds: () => Promise<boolean> | boolean, seconds = 60): Promise<void> {
  const end = Date.now() + seconds * 1_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`waited ${seconds} s in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
