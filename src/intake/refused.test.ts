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

  const place = (position: string | null, nth = 0) => ({
    source: 'app',
    partition: 'p',
    position,
    nth,
    reason: 'EVENT_NOT_JSON',
    message: 'no',
    at: 7,
  });

  test('know every place where the same bytes were refused, each once, also after a restart', async () => {
    const disk = new SimpleDisk();
    const refused = await openRefused('/refused', disk);
    for (const one of [place('1'), place('1'), place('1', 1), place('2'), place(null), place(null)])
      await refused.keep(Buffer.from('x'), one);
    const places = [place('1'), place('1', 1), place('2'), place(null), place(null)];
    const expected = [{ sha256: sha256('x'), bytes: 1, places }];
    assert.deepEqual(await refused.list('', 10), expected);
    const reopened = await openRefused('/refused', disk.crash());
    assert.deepEqual(await reopened.list('', 10), expected);
    assert.equal(reopened.bytes(), refused.bytes());
    assert.deepEqual(await reopened.read(sha256('y')), null);
    assert.equal(Buffer.from((await reopened.read(sha256('x')))?.content ?? []).toString(), 'x');
  });

  test('are listed page by page, and removed for good with their space', async () => {
    const disk = new SimpleDisk();
    const refused = await openRefused('/refused', disk);
    const names = (await Promise.all(['a', 'b', 'c'].map((text) => refused.keep(Buffer.from(text), place(text))))).toSorted();
    assert.deepEqual(
      (await refused.list('', 2)).map(({ sha256: name }) => name),
      names.slice(0, 2),
    );
    assert.deepEqual(
      (await refused.list(names[1] ?? '', 2)).map(({ sha256: name }) => name),
      names.slice(2),
    );
    for (const name of names) await refused.remove(name);
    await refused.remove(names[0] ?? '');
    assert.deepEqual([refused.bytes(), refused.count(), disk.crash().files.size], [0, 0, 0]);
  });

  test('facts without bytes are what a crash left', async () => {
    const disk = new SimpleDisk();
    disk.files.set(`/refused/${sha256('x')}.json`, Buffer.from('{}'));
    const refused = await openRefused('/refused', disk);
    assert.deepEqual([refused.bytes(), disk.files.size], [0, 0]);
  });

  test('the same bytes are not refused without an end', async () => {
    const disk = new SimpleDisk();
    const refused = await openRefused('/refused', disk);
    const places = Array.from({ length: 1_000 }, (_, k) => place(String(k)));
    disk.files.set(`/refused/${sha256('x')}`, Buffer.from('x'));
    disk.files.set(`/refused/${sha256('x')}.json`, Buffer.from(JSON.stringify({ v: 1, places })));
    const full = await openRefused('/refused', disk);
    await full.keep(Buffer.from('x'), place('999'));
    await assert.rejects(full.keep(Buffer.from('x'), place('1000')), { code: 'REFUSED_FULL' });
    await refused.keep(Buffer.from('y'), place('0'));
  });
});
