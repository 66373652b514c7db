import { test } from 'node:test';
import { DiskWriter } from './disk-writer.ts';

/** Holds this thread, as a busy process on a busy machine does. */
function block(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

test('closing succeeds when the thread has ended before its last answer was collected', async () => {
  for (let round = 0; round < 20; round += 1) {
    const writer = new DiskWriter();
    const closed = writer.close();
    block(60);
    await closed;
  }
});
