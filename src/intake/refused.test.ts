import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { SimpleDisk } from '../../test/doubles/manual-ports.ts';
import { openRefused } from './refused.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('refused events', () => {
  test('are kept under their SHA-256, once, and survive a loss of power', async () => {
    const disk = new SimpleDisk();
    const refused = await openRefused('/refused', disk);
    const names = await Promise.all([refused.keep(Buffer.from('x')), refused.keep(Buffer.from('x')), refused.keep(Buffer.from('y'))]);
    assert.deepEqual(names, [sha256('x'), sha256('x'), sha256('y')]);
    assert.equal(refused.bytes(), 2 * 4_096);
    const after = disk.crash();
    assert.equal(after.files.get(`/refused/${sha256('x')}`)?.toString(), 'x');
    const reopened = await openRefused('/refused', after);
    assert.equal(reopened.bytes(), 2 * 4_096);
    await reopened.keep(Buffer.from('y'));
    assert.equal(reopened.bytes(), 2 * 4_096);
  });

  test('what a crash left half-written is cleared', async () => {
    const disk = new SimpleDisk();
    disk.files.set(`/refused/${sha256('x')}.tmp`, Buffer.from('long half'));
    const refused = await openRefused('/refused', disk);
    assert.equal(refused.bytes(), 0);
    await refused.keep(Buffer.from('x'));
    assert.deepEqual([...disk.files.keys()], [`/refused/${sha256('x')}`]);
  });

  test('are bounded, and what is there already costs nothing', async () => {
    const refused = await openRefused('/refused', new SimpleDisk(), 3 * 4_096);
    await refused.keep(Buffer.alloc(5_000));
    await refused.keep(Buffer.from('x'));
    await assert.rejects(refused.keep(Buffer.from('y')), { code: 'REFUSED_FULL' });
    await refused.keep(Buffer.from('x'));
  });

  test('a failure of the disk gives the room back', async () => {
    const disk = new SimpleDisk();
    const refused = await openRefused('/refused', disk);
    disk.failure = new Error('no');
    await assert.rejects(refused.keep(Buffer.from('x')), /no/);
    assert.equal(refused.bytes(), 0);
    disk.failure = null;
    assert.equal(await refused.keep(Buffer.from('x')), sha256('x'));
  });
});
