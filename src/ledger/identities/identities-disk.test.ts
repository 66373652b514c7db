import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { asIndex, asSize } from '../../contracts/units.ts';
import { openPorts } from '../../runtime/ports.ts';
import { type IdentitiesLedger, openIdentities } from './identities.ts';

const encoder = new TextEncoder();

test('writes and merges runs on a real disk, in a thread of its own, and finds them after it was opened again', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'waybill-identities-'));
  const ports = await openPorts({ logLevel: 'error', jobs: new URL('../../pipeline/jobs.ts', import.meta.url) });
  const options = { path: join(directory, 'identities'), memtableEntries: 2_000 };
  const count = 50_000;
  let size = 0;
  const text = encoder.encode('{}');
  const ledger: IdentitiesLedger = {
    size: () => asSize(size),
    assigned: () => asSize(size),
    beginning: () => asIndex(0),
    read: async (from) => ({ first: from, count: 1, bytes: text, starts: Uint32Array.of(0), ends: Uint32Array.of(2) }),
  };
  try {
    const first = await openIdentities(options, ledger, ports);
    for (let n = 0; n < count; n++) {
      for (let wait = first.ready(); wait !== null; wait = first.ready()) await wait;
      const id = encoder.encode(`event-${n}`);
      assert.deepEqual(first.find('app', id, 0, id.length), []);
      first.add('app', id, 0, id.length, asIndex(n));
      size = n + 1;
    }
    await first.close();
    const second = await openIdentities(options, ledger, ports);
    assert.equal(second.watermark(), count);
    for (let n = 0; n < count; n += 7) {
      const id = encoder.encode(`event-${n}`);
      assert.deepEqual(second.find('app', id, 0, id.length), [n]);
    }
    const { runs, entries } = second.facts();
    assert.equal(entries, count);
    await second.close();
    const files = await readdir(options.path);
    assert.ok(files.length >= 2 && runs >= 1, 'there are runs and a manifest');
  } finally {
    await ports.close();
    await rm(directory, { recursive: true, force: true });
  }
});
