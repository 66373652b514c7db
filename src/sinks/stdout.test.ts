import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { batchOf, entriesOf, heldIn, heldOf } from '../../test/conformance/batches.ts';
import { startPipe } from '../../test/conformance/pipe-reader.ts';
import { asIndex } from '../contracts/units.ts';
import { openPorts } from '../runtime/ports.ts';
import { stdout } from './stdout.ts';

const ports = await openPorts({ logLevel: 'silent' });
after(() => ports.close());

const never = (): AbortSignal => new AbortController().signal;

async function open() {
  const pipe = startPipe();
  const context = {
    name: 'out',
    origin: 'acme.example/audit',
    ports: { ...ports, output: pipe.output },
    cursor: asIndex(0),
    receipt: null,
  };
  return { pipe, sink: await stdout.open({}, context) };
}

test('a batch that a slow reader has not read yet is waited for, however often it is tried, and goes once', async () => {
  const { pipe, sink } = await open();
  const first = { from: 0, entries: entriesOf(0, 3) };
  const second = { from: 3, entries: entriesOf(3, 2) };
  for (let time = 0; time < 3; time += 1) {
    const limit = new AbortController();
    if (time === 0) pipe.trouble('answer-lost', () => limit.abort());
    else limit.abort();
    await assert.rejects(sink.write(batchOf(first), limit.signal), { code: 'SINK_ANSWER_LOST' });
  }
  pipe.heal();
  await sink.write(batchOf(first), never());
  await sink.write(batchOf(second), never());
  assert.deepEqual(heldIn(pipe.read()), heldOf(first, second));
  await sink.close();
});

test('nothing piles up before a slow reader', async () => {
  const { pipe, sink } = await open();
  const limit = new AbortController();
  pipe.trouble('answer-lost', () => limit.abort());
  await assert.rejects(sink.write(batchOf({ from: 0, entries: entriesOf(0, 3) }), limit.signal), { code: 'SINK_ANSWER_LOST' });
  const later = { from: 0, entries: entriesOf(0, 1) };
  await assert.rejects(sink.write(batchOf(later), AbortSignal.abort()), { code: 'SINK_ANSWER_LOST' });
  assert.equal(heldIn(pipe.read()).length, 3);
  pipe.heal();
  await sink.write(batchOf(later), never());
  assert.equal(heldIn(pipe.read()).length, 4);
  await sink.close();
});
