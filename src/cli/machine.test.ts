import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { isWaybillError } from '../contracts/errors.ts';
import { makeTemporaryDirectory, readText, writeNewFile } from './machine.ts';

test('a new file is written whole, for its owner only, and never over another', (t) => {
  const directory = makeTemporaryDirectory('waybill-machine');
  const { path } = directory;
  t.after(() => directory.remove());
  const file = join(path, 'token');
  assert.equal(writeNewFile(file, 'one\n', 0o600), true);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(writeNewFile(file, 'two\n', 0o600), false);
  assert.equal(readFileSync(file, 'utf8'), 'one\n');
  assert.deepEqual(readdirSync(path), ['token']);
});

test('a file that is not there is null, and one that cannot be read is an error', (t) => {
  const directory = makeTemporaryDirectory('waybill-machine');
  const { path } = directory;
  t.after(() => directory.remove());
  assert.equal(readText(join(path, 'gone')), null);
  assert.throws(
    () => readText(path),
    (error) => isWaybillError(error) && error.code === 'DISK_FAILED' && error.message.includes(path),
  );
  assert.throws(
    () => writeNewFile(join(path, 'no/such/place'), '', 0o600),
    (error) => isWaybillError(error) && error.code === 'DISK_FAILED',
  );
});
