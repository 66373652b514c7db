import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isWaybillError } from '../contracts/errors.ts';
import { statusLines } from './status.ts';
import { readStatus } from './status-view.ts';

const STATUS = {
  ledger: {
    origin: 'acme.example/audit',
    size: 1_235,
    durable: 1_234,
    head: { size: 1_200, root: 'abc=' },
    bytes: { used: 3 * 1_048_576 },
  },
  sources: { app: { type: 'http' }, old: {} },
  destinations: {
    archive: { type: 'file', state: 'running', cursor: 1_234, lag: 0, error: null, counters: { repeats: 0 } },
    lake: {
      type: 'webhook',
      state: 'halted',
      cursor: 7,
      lag: 1_227,
      error: { code: 'SINK_UNAUTHORIZED', message: 'answered 401', action: 'Correct it.' },
      counters: { repeats: 2 },
    },
  },
};

test('a status says that the tree waits for space', () => {
  const ledger = { ...STATUS.ledger, tree: { bytes: 0, fault: { code: 'DISK_FULL', message: 'cannot write to a.pack', action: '' } } };
  const lines = statusLines(readStatus({ ...STATUS, ledger }));
  assert.equal(lines[2], 'THE TREE WAITS, and new heads with it: DISK_FULL: cannot write to a.pack');
});

test('a status names what is durable, where every destination is, and what leads on', () => {
  assert.deepEqual(statusLines(readStatus(STATUS)), [
    'ledger acme.example/audit: 1,234 entries, 3 MiB on disk',
    'tree: root abc= over 1,200 entries, not signed yet',
    'sources: app (http), old',
    '',
    'DESTINATION  TYPE     STATE    CURSOR    LAG',
    'archive      file     running   1,234      0',
    'lake         webhook  halted        7  1,227',
    '',
    'lake: SINK_UNAUTHORIZED: answered 401',
    '  Correct it.',
    '',
    'lake: 2 batches may be there twice, because an answer was lost',
  ]);
});

test('a destination that takes entries and no checkpoints is named', () => {
  const fault = { code: 'CHECKPOINT_CONFLICT', message: 'another root', action: 'Keep both.' };
  const { archive } = STATUS.destinations;
  const lines = statusLines(readStatus({ ...STATUS, destinations: { archive: { ...archive, checkpoint: { size: 7, at: 0, fault } } } }));
  assert.deepEqual(lines.slice(-2), ['archive does not take checkpoints: CHECKPOINT_CONFLICT: another root', '  Keep both.']);
});

test('damage is never left out', () => {
  const lines = statusLines(readStatus({ ...STATUS, ledger: { ...STATUS.ledger, damage: 'segment 0 at 64' } }));
  assert.ok(lines.includes('DAMAGE: segment 0 at 64'));
});

test('an answer of something else is not taken for a status', () => {
  for (const answer of [null, {}, { ledger: { origin: 'a' } }, { ...STATUS, destinations: { a: { state: 'running' } } }]) {
    assert.throws(
      () => readStatus(answer),
      (error) => isWaybillError(error) && error.code === 'API_UNEXPECTED',
    );
  }
});

test('a status names the head that everything is sealed to, its key, and why there is no newer one', () => {
  const heads = {
    published: { size: 1_190, root: 'def=', at: '2026-11-24T11:08:09.000Z' },
    keys: [{ verifier_key: 'acme.example/audit+0a1b2c3d+old' }, { verifier_key: 'acme.example/audit+1a1b2c3d+new' }],
    fault: { code: 'SIGNING_FAILED', message: 'the device does not answer', action: 'Look at it.' },
  };
  assert.deepEqual(statusLines(readStatus({ ...STATUS, ledger: { ...STATUS.ledger, heads } })).slice(1, 5), [
    'sealed to 1,190: root def=, signed 2026-11-24T11:08:09.000Z',
    'verifier key: acme.example/audit+1a1b2c3d+new',
    'NO NEWER HEAD: SIGNING_FAILED: the device does not answer',
    '  Look at it.',
  ]);
});
