import { Worker } from 'node:worker_threads';
import { type ErrorCode, WaybillError } from '../contracts/errors.ts';
import type { Background } from '../contracts/ports.ts';
import type { JobAnswer, JobRequest } from './background-thread.ts';
import { threadEntry } from './thread-entry.ts';

/** Named work for a background thread. Inputs and answers are data: they are copied, except for shared memory. */
export type Jobs = Readonly<Record<string, (input: never) => unknown>>;

interface Pending {
  resolve(value: unknown): void;
  reject(reason: unknown): void;
}

/**
 * Background threads for the jobs that the module `jobs` exports under that name. Jobs whose names begin with the same word before
 * the first dot share a thread and run one after another, so that they may keep state in it; others do not wait for them.
 * A thread starts with its first job and holds the process open only while a job is under way.
 */
export function openBackground(jobs: URL): Background & { close(): Promise<void> } {
  const threads = new Map<string, JobThread>();
  return {
    run(job, input) {
      const lane = job.split('.', 1)[0] ?? job;
      let thread = threads.get(lane);
      if (thread === undefined) {
        thread = openJobThread(jobs, lane);
        threads.set(lane, thread);
      }
      return thread.run(job, input);
    },
    async close() {
      await Promise.all([...threads.values()].map((thread) => thread.close()));
      threads.clear();
    },
  };
}

interface JobThread extends Background {
  close(): Promise<void>;
}

function openJobThread(jobs: URL, lane: string): JobThread {
  const thread = new Worker(threadEntry('background-thread', import.meta.url), {
    workerData: { jobs: jobs.href },
    name: lane,
    execArgv: [],
  });
  const pending = new Map<number, Pending>();
  let nextId = 1;
  let broken: Error | null = null;
  thread.unref();
  thread.on('message', (answer: JobAnswer) => {
    const waiting = pending.get(answer.id);
    pending.delete(answer.id);
    if (pending.size === 0) thread.unref();
    if (answer.ok) waiting?.resolve(answer.value);
    else waiting?.reject(errorFrom(answer));
  });
  thread.on('error', (error) => fail(new Error(`the background thread ${lane} failed: ${String(error)}`, { cause: error })));
  thread.on('exit', () => fail(new Error(`the background thread ${lane} has ended`)));

  function fail(reason: Error): void {
    broken ??= reason;
    for (const waiting of pending.values()) waiting.reject(broken);
    pending.clear();
  }

  return {
    run(job, input) {
      if (broken !== null) return Promise.reject(broken);
      return new Promise((resolve, reject) => {
        const id = nextId++;
        // The copy fails at once when the input is not data; then there is nothing to wait for.
        thread.postMessage({ id, job, input } satisfies JobRequest, []);
        pending.set(id, { resolve, reject });
        thread.ref();
      });
    },
    async close() {
      await thread.terminate();
    },
  };
}

/** An operating error keeps its code on the way between threads. */
function errorFrom(answer: JobAnswer & { ok: false }): Error {
  if (answer.code === null) return new Error(answer.message, { cause: answer.stack });
  return new WaybillError(answer.code as ErrorCode, answer.message, answer.facts === null ? {} : { facts: answer.facts });
}
