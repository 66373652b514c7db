import { WaybillError } from '../contracts/errors.ts';
import type { Output } from '../contracts/ports.ts';

/** The real standard output. Nothing happens to it before the first write. A pipe whose reader is slow holds nobody up but the writer. */
export function openOutput(): Output {
  let listening = false;
  return {
    write(bytes) {
      if (!listening) {
        listening = true;
        // Every failure is told to the write that met it.
        process.stdout.on('error', nothing);
      }
      return new Promise((resolve, reject) => {
        process.stdout.write(bytes, (cause) => {
          if (cause === null || cause === undefined) resolve();
          else reject(new WaybillError('OUTPUT_CLOSED', `standard output takes nothing more: ${cause.message}`, { cause }));
        });
      });
    },
  };
}

function nothing(): void {}
