import { fail } from 'node:assert/strict';
import { WaybillError } from '../../src/contracts/errors.ts';
import type { Output } from '../../src/contracts/ports.ts';
import type { Trouble } from './sink.ts';

/** A pipe and its reader, in place of the standard output of the process that tests. */
export interface Pipe {
  readonly output: Output;
  /** What was read so far. */
  read(): string;
  trouble(kind: Trouble, giveUp: () => void): void;
  heal(): void;
}

/** A reader that takes everything at once until it is told to be slow or to go away. */
export function startPipe(): Pipe {
  let text = '';
  let kind: Trouble | null = null;
  let giveUp = nothing;
  let flush = nothing;
  const output: Output = {
    write(bytes) {
      if (kind === 'unauthorized') return Promise.reject(new WaybillError('OUTPUT_CLOSED', 'nobody reads'));
      if (kind === 'answer-lost') text += Buffer.from(bytes).toString();
      else if (kind === null) {
        text += Buffer.from(bytes).toString();
        return Promise.resolve();
      }
      giveUp();
      return new Promise((resolve) => {
        flush = resolve;
      });
    },
  };
  return {
    output,
    read: () => text,
    trouble(next, onGiveUp) {
      if (next !== 'hang' && next !== 'answer-lost' && next !== 'unauthorized') fail(`a pipe cannot be ${next}`);
      kind = next;
      giveUp = onGiveUp;
    },
    heal() {
      kind = null;
      flush();
    },
  };
}

function nothing(): void {}
