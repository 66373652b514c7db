import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { MAIN, startServer, type WaybillProcess } from './process.ts';

/** A real `waybill witness run` of a test. */
export interface WitnessProcess extends WaybillProcess {
  /** Asks it with the body of `add-checkpoint`. */
  add(body: Uint8Array): Promise<WitnessReply>;
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
  const witness = await startServer(['witness', 'run', '-c', file], `http://127.0.0.1:${port}`, '/livez');
  return {
    ...witness,
    async add(body) {
      const answer = await fetch(`${witness.url}/add-checkpoint`, { method: 'POST', body });
      return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
    },
  };
}
