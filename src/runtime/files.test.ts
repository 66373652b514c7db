import assert from 'node:assert/strict';
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, test } from 'node:test';
import { foreignFiles } from './files.ts';

describe('files of other programs', () => {
  test('are listed, looked at and read, and what is not there is no failure', async (t) => {
    const directory = mkdtempSync(`${tmpdir()}/waybill-files-`);
    t.after(() => rmSync(directory, { recursive: true }));
    const path = `${directory}/a.log`;
    assert.equal(await foreignFiles.list(`${directory}/no`), null);
    assert.equal(await foreignFiles.stat(path), null);
    assert.equal(await foreignFiles.open(path), null);
    writeFileSync(path, 'one\n');
    linkSync(path, `${directory}/b.log`);
    symlinkSync(path, `${directory}/c.log`);
    mkdirSync(`${directory}/d.log`);
    assert.deepEqual(await foreignFiles.list(directory), ['a.log', 'b.log', 'c.log', 'd.log']);
    const facts = await foreignFiles.stat(path);
    assert.deepEqual(await foreignFiles.stat(`${directory}/b.log`), facts);
    assert.deepEqual(await foreignFiles.stat(`${directory}/c.log`), facts);
    assert.deepEqual([facts?.bytes, facts?.regular], [4, true]);
    assert.equal((await foreignFiles.stat(`${directory}/d.log`))?.regular, false);
  });

  test('stay the same file when they are renamed, cut and removed', async (t) => {
    const directory = mkdtempSync(`${tmpdir()}/waybill-files-`);
    t.after(() => rmSync(directory, { recursive: true }));
    const path = `${directory}/a.log`;
    writeFileSync(path, 'one\n');
    const file = await foreignFiles.open(path);
    assert.ok(file !== null);
    t.after(() => file.close());
    const before = await file.stat();
    renameSync(path, `${path}.1`);
    appendFileSync(`${path}.1`, 'two\n');
    assert.equal(Buffer.from(await file.read(2, 100)).toString(), 'e\ntwo\n');
    const after = await file.stat();
    assert.deepEqual([after.device, after.inode, after.bytes], [before.device, before.inode, 8]);
    truncateSync(`${path}.1`, 1);
    unlinkSync(`${path}.1`);
    assert.equal(Buffer.from(await file.read(0, 100)).toString(), 'o');
    assert.equal((await file.read(5, 100)).length, 0);
  });

  test('a refusal names the path, the reason and the error of the operating system', async (t) => {
    const directory = mkdtempSync(`${tmpdir()}/waybill-files-`);
    t.after(() => rmSync(directory, { recursive: true }));
    symlinkSync('loop', `${directory}/loop`);
    await assert.rejects(foreignFiles.open(`${directory}/loop`), { code: 'DISK_FAILED', message: /loop: .*\(ELOOP\)/ });
    await assert.rejects(foreignFiles.stat(`${directory}/loop`), ({ details }: { details: { facts: object } }) => {
      assert.deepEqual(details.facts, { path: `${directory}/loop`, errno: 'ELOOP' });
      return true;
    });
  });
});
