import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { openDisk } from './disk.ts';

const directory = mkdtempSync(join(tmpdir(), 'waybill-disk-'));
const disk = openDisk();
after(async () => {
  await disk.close();
  rmSync(directory, { recursive: true });
});

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const shared = (value: string): Uint8Array => {
  const bytes = new Uint8Array(new SharedArrayBuffer(Buffer.byteLength(value)));
  bytes.set(Buffer.from(value));
  return bytes;
};

/** Whole numbers below a bound, the same for the same seed. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >>> 8) % below;
  };
}

for (const changedBy of ['thread', 'pool'] as const) {
  const disk = openDisk(changedBy);
  const place = join(directory, changedBy);
  mkdirSync(place);
  after(() => disk.close());

  describe(`files, changed by the ${changedBy}`, () => {
    test('a commit of shared memory and one of ordinary memory are both in the file', async () => {
      const path = join(place, 'commit');
      const file = await disk.open(path, 'create');
      await file.commit(shared('shared '), 0);
      await file.commit(Buffer.from('x ordinary').subarray(2), 7);
      assert.equal(readFileSync(path, 'utf8'), 'shared ordinary');
      assert.equal(await file.length(), 15);
      await file.close();
    });

    test('a part of a shared buffer is written from its own place', async () => {
      const path = join(place, 'part');
      const file = await disk.open(path, 'create');
      const bytes = shared('0123456789');
      await file.write(bytes.subarray(3, 6), 0);
      await file.sync();
      assert.equal(readFileSync(path, 'utf8'), '345');
      await file.close();
    });

    test('calls take effect in the order in which they were made, far more of them than the ring holds', async () => {
      const path = join(place, 'order');
      const file = await disk.open(path, 'create');
      const calls: Promise<unknown>[] = [];
      for (let i = 0; i < 500; i++)
        calls.push(file.write(i % 2 === 0 ? shared(`${i} `.padStart(5)) : Buffer.from(`${i} `.padStart(5)), i * 5));
      const early = file.read(499 * 5, 5);
      calls.push(file.truncate(10));
      const late = file.read(0, 100);
      calls.push(file.commit(Buffer.from('end'), 10));
      const end = file.read(10, 3);
      const length = file.length();
      await Promise.all(calls);
      assert.equal(text(await early), ' 499 ');
      assert.equal(text(await late), '   0    1 ');
      assert.equal(text(await end), 'end');
      assert.equal(await length, 13);
      await file.close();
    });

    test('whatever is asked for at once, each call sees what was asked for before it and nothing after', async () => {
      for (let seed = 1; seed <= 30; seed++) {
        const file = await disk.open(join(place, `model-${seed}`), 'create');
        const chance = randomOf(seed);
        let model: number[] = [];
        const checks: Promise<void>[] = [];
        for (let call = 0; call < 120; call++) {
          const [at, length] = [chance(40), chance(40)];
          const kind = chance(6);
          if (kind <= 1) {
            const fill = String.fromCharCode(97 + (call % 26)).repeat(length);
            const bytes = kind === 0 ? shared(fill) : Buffer.from(fill);
            checks.push(call % 2 === 0 ? file.write(bytes, at) : file.commit(bytes, at));
            if (length > 0) while (model.length < at) model.push(0);
            for (let k = 0; k < length; k++) model[at + k] = 97 + (call % 26);
          } else if (kind === 2) {
            checks.push(file.truncate(at));
            model = Array.from({ length: at }, (_, k) => model[k] ?? 0);
          } else if (kind === 3) {
            const expected = model.length;
            checks.push(file.length().then((found) => assert.equal(found, expected, `seed ${seed}, call ${call}`)));
          } else {
            const expected = model.slice(at, at + length);
            checks.push(file.read(at, length).then((found) => assert.deepEqual([...found], expected, `seed ${seed}, call ${call}`)));
          }
          if (chance(10) === 0) await checks.at(-1);
        }
        await Promise.all(checks);
        await file.close();
      }
    });

    test('buffers that the thread has forgotten are made known again', async () => {
      const path = join(place, 'many-buffers');
      const own = openDisk(changedBy);
      const file = await own.open(path, 'create');
      await file.write(Buffer.from('copied through the first buffer of all'), 0);
      const buffers = Array.from({ length: 100 }, (_, i) => shared(`${i},`.padStart(4)));
      await Promise.all(buffers.map((bytes, i) => file.write(bytes, i * 4)));
      await Promise.all(buffers.map((bytes, i) => file.write(bytes, (99 - i) * 4)));
      const expected = Array.from({ length: 100 }, (_, i) => `${99 - i},`.padStart(4)).join('');
      assert.equal(readFileSync(path, 'utf8'), expected);
      await file.write(Buffer.from('copied'), 0);
      assert.equal(readFileSync(path, 'utf8').slice(0, 6), 'copied');
      await file.close();
      await own.close();
    });

    test('a buffer larger than every staging buffer is written whole', async () => {
      const path = join(place, 'large');
      const file = await disk.open(path, 'create');
      const bytes = Buffer.alloc(20 << 20, 'abcdefghi');
      await file.commit(bytes, 0);
      assert.ok(readFileSync(path).equals(bytes));
      await file.close();
    });

    test('reads end at the end of the file', async () => {
      const path = join(place, 'short');
      writeFileSync(path, 'short');
      const file = await disk.open(path, 'read');
      assert.equal(text(await file.read(2, 100)), 'ort');
      assert.equal((await file.read(5, 10)).length, 0);
      const into = new Uint8Array(10);
      assert.equal(file.readNow(into, 1), 4);
      assert.equal(text(into.subarray(0, 4)), 'hort');
      await file.close();
    });

    test('close waits for what was asked for', async () => {
      const path = join(place, 'closing');
      const file = await disk.open(path, 'create');
      const writing = file.commit(Buffer.alloc(1 << 20, 1), 0);
      const reading = file.read(0, 1 << 20);
      await file.close();
      assert.equal((await reading).length, 1 << 20);
      await writing;
      assert.equal(statSync(path).size, 1 << 20);
      await file.close();
    });

    test('two files may commit at once', async () => {
      const one = await disk.open(join(place, 'one'), 'create');
      const two = await disk.open(join(place, 'two'), 'create');
      await Promise.all([one.commit(Buffer.from('1'), 0), two.commit(Buffer.from('2'), 0), one.commit(Buffer.from('1'), 1)]);
      assert.equal(readFileSync(join(place, 'one'), 'utf8'), '11');
      assert.equal(readFileSync(join(place, 'two'), 'utf8'), '2');
      await Promise.all([one.close(), two.close()]);
    });
  });

  describe(`failures, changed by the ${changedBy}`, () => {
    test('a full device is DISK_FULL, and the file may be written again', async () => {
      const file = await disk.open('/dev/full', 'existing');
      await assert.rejects(file.write(Buffer.from('x'), 0), { code: 'DISK_FULL', message: /cannot write to \/dev\/full: .*ENOSPC/ });
      await assert.rejects(file.write(Buffer.from('x'), 0), { code: 'DISK_FULL' });
      await file.close();
    });

    test('a failed flush is final for the open file', async () => {
      // A pipe cannot be flushed, which is the only flush that fails on demand on every machine.
      const path = join(place, 'pipe');
      await once(spawn('mkfifo', [path]), 'exit');
      const file = await disk.open(path, 'create');
      await assert.rejects(file.sync(), { code: 'DISK_FAILED', message: /cannot flush .*pipe: .*EINVAL/ });
      await assert.rejects(file.sync(), { code: 'DISK_FAILED', message: /an earlier flush failed/ });
      await file.close();
    });

    test('a file that is not there, opened as existing, is DISK_FAILED with its path and the reason', async () => {
      const path = join(place, 'missing');
      await assert.rejects(disk.open(path, 'existing'), { code: 'DISK_FAILED', message: new RegExp(`cannot open ${path}: .*ENOENT`) });
      await assert.rejects(disk.open(path, 'read'), { code: 'DISK_FAILED' });
    });

    test('a write to a file that was opened for reading is DISK_FAILED', async () => {
      const path = join(place, 'read-only');
      writeFileSync(path, 'kept');
      const file = await disk.open(path, 'read');
      await assert.rejects(file.commit(Buffer.from('x'), 0), { code: 'DISK_FAILED', message: /EBADF/ });
      assert.equal(readFileSync(path, 'utf8'), 'kept');
      await file.close();
    });
  });
}

describe('names', () => {
  test('directories are made with those above them, listed in order and missing ones are empty', async () => {
    const deep = join(directory, 'a', 'b', 'c');
    await disk.makeDirectory(deep);
    await disk.makeDirectory(deep);
    for (const name of ['2', '10', '1']) writeFileSync(join(deep, name), name);
    assert.deepEqual(await disk.list(deep), ['1', '10', '2']);
    assert.deepEqual(await disk.list(join(directory, 'nowhere')), []);
    await disk.syncDirectory(deep);
  });

  test('length, rename and remove', async () => {
    const from = join(directory, 'from');
    const to = join(directory, 'to');
    assert.equal(await disk.length(from), null);
    writeFileSync(from, '12345');
    writeFileSync(to, 'old');
    assert.equal(await disk.length(from), 5);
    await disk.rename(from, to);
    assert.equal(await disk.length(from), null);
    assert.equal(await disk.length(to), 5);
    await disk.remove(to);
    await disk.remove(to);
    assert.equal(await disk.length(to), null);
    await assert.rejects(disk.rename(from, to), { code: 'DISK_FAILED' });
  });

  test('the space of the file system is told, and files are not for everybody', async () => {
    assert.ok((await disk.available(directory)) > 0);
    const path = join(directory, 'mode');
    await (await disk.open(path, 'create')).close();
    assert.equal(statSync(path).mode & 0o007, 0);
  });
});

describe('the lock', () => {
  test('a second taker in the same process is refused until it is released', async () => {
    const path = join(directory, 'lock');
    const lock = await disk.lock(path);
    await assert.rejects(disk.lock(path), { code: 'LEDGER_LOCKED', message: `${path} is locked by another process` });
    await lock.release();
    await lock.release();
    await (await disk.lock(path)).release();
  });

  test('another process holds it until it is killed', async () => {
    const path = join(directory, 'lock-of-another');
    const script = `import { openDisk } from ${JSON.stringify(new URL('./disk.ts', import.meta.url).href)};
      await openDisk().lock(${JSON.stringify(path)}); console.log('held'); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    await assert.rejects(disk.lock(path), { code: 'LEDGER_LOCKED' });
    child.kill('SIGKILL');
    await once(child, 'exit');
    await (await disk.lock(path)).release();
  });

  test('a lock in a directory that is not there is DISK_FAILED with the path', async () => {
    const path = join(directory, 'nowhere', 'lock');
    await assert.rejects(disk.lock(path), { code: 'DISK_FAILED', message: new RegExp(path) });
  });
});

describe('the thread', () => {
  test('it never holds an idle process open, and always holds one open that waits for a commit', async () => {
    const path = join(directory, 'from-a-child');
    const script = `import { openDisk } from ${JSON.stringify(new URL('./disk.ts', import.meta.url).href)};
      const file = await openDisk().open(${JSON.stringify(path)}, 'create');
      for (let i = 0; i < 20; i++) await file.commit(Buffer.from('x'), i);
      console.log('all durable');`;
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    const [code] = await once(child, 'close');
    assert.equal(code, 0);
    assert.equal(output, 'all durable\n');
    assert.equal(readFileSync(path, 'utf8'), 'x'.repeat(20));
  });

  test('close waits for what is under way, and a later write starts a new thread', async () => {
    const other = openDisk();
    const path = join(directory, 'other');
    const file = await other.open(path, 'create');
    const writing = file.commit(Buffer.alloc(1 << 20, 7), 0);
    await other.close();
    await writing;
    await file.commit(Buffer.from('again'), 0);
    await file.close();
    await other.close();
    assert.equal(readFileSync(path).subarray(0, 5).toString(), 'again');
  });
});
