/** The entry of a background thread: runs one job after another and answers each. */
import { parentPort, workerData } from 'node:worker_threads';
import { isWaybillError } from '../contracts/errors.ts';
import type { Jobs } from './background.ts';

/** A job to run. */
export interface JobRequest {
  readonly id: number;
  readonly job: string;
  readonly input: unknown;
}

/** How a job ended. */
export type JobAnswer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | {
      readonly id: number;
      readonly ok: false;
      readonly code: string | null;
      readonly message: string;
      readonly stack: string;
      readonly facts: Readonly<Record<string, string | number>> | null;
    };

const loading = import((workerData as { jobs: string }).jobs) as Promise<{ jobs: Jobs }>;
let last: Promise<void> = Promise.resolve();

parentPort?.on('message', (request: JobRequest) => {
  // One after another: a job may keep state that the next one of its thread relies on.
  last = last.then(() => run(request));
});

async function run({ id, job, input }: JobRequest): Promise<void> {
  let answer: JobAnswer;
  try {
    const { jobs } = await loading;
    if (!Object.hasOwn(jobs, job)) throw new Error(`there is no job ${job}`);
    const value = await jobs[job]?.(input as never);
    answer = { id, ok: true, value };
  } catch (error) {
    answer = failure(id, error);
  }
  try {
    parentPort?.postMessage(answer, []);
  } catch (error) {
    // The value is not data, so that it cannot cross over. Whoever waits has to hear of it.
    parentPort?.postMessage(failure(id, error), []);
  }
}

function failure(id: number, error: unknown): JobAnswer {
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? (error.stack ?? message) : message;
  if (!isWaybillError(error)) return { id, ok: false, code: null, message, stack, facts: null };
  return { id, ok: false, code: error.code, message, stack, facts: error.details.facts ?? null };
}
