import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { MAIN, until } from './process.ts';

/** A real `waybill witness run` of a test. */
export interface WitnessProcess {
  readonly url: string;
  readonly child: ChildProcess;
  /** What it wrote to standard error so far. */
  log(): string;
  /** Asks it with the body of `add-checkpoint`. */
  add(body: Uint8Array): Promise<WitnessReply>;
  /** Ends it with a signal and waits until it is gone. Gives the exit code, or null after a signal. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** An answer of the witness. */
export interface WitnessReply {
  readonly status: number;
  readonly type: string | null;
  readonly text: string;
}

/** Writes the configuration of a witness, and makes its key and state. Gives the file and the verifier key. */
export function initWitness(directory: string, yaml: string): { readonly file: string; readonly verifierKey: string } {
  const file = `${directory}/witness.yaml`;
  writeFileSync(file, yaml);
  const out = execFileSync(process.execPath, [MAIN, 'witness', 'init', '-c', file, '--json'], { encoding: 'utf8' });
  return { file, verifierKey: (JSON.parse(out) as { readonly verifier_key: string }).verifier_key };
}

/** Starts a witness and waits until it can be asked. */
export async function startWitness(file: string, port: number): Promise<WitnessProcess> {
  const child = spawn(process.execPath, [MAIN, 'witness', 'run', '-c', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const url = `http://127.0.0.1:${port}`;
  await until('the witness to answer', async () => {
    if (child.exitCode !== null) throw new Error(`the witness ended with ${child.exitCode}:\n${log}`);
    return fetch(`${url}/livez`).then(
      (answer) => answer.ok,
      () => false,
    );
  });
  return {
    url,
    child,
    log: () => log,
    async add(body) {
      const answer = await fetch(`${url}/add-checkpoint`, { method: 'POST', body });
      return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
    },
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
