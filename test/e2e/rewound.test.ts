import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { allEntries, sameLines, status } from '../crash/entries.ts';
import { initWaybill, MAIN, startWaybill, until, type WaybillProcess } from '../crash/process.ts';

const ORIGIN = 'rewound.example/audit';

async function send(
  url: string,
  from: number,
  through: number,
): Promise<{ readonly accepted: number; readonly duplicates: readonly unknown[] }> {
  const events = Array.from({ length: through - from }, (_, k) => ({ id: `e${from + k}`, text: 'x'.repeat(200) }));
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${url}/v1/events`, { method: 'POST', headers, body: JSON.stringify(events) });
  assert.equal(answer.status, 200);
  return (await answer.json()) as { accepted: number; duplicates: unknown[] };
}

async function hashed(waybill: WaybillProcess): Promise<{ readonly size: number; readonly root: string }> {
  let head = { size: -1, root: '' };
  await until('the tree to have everything', async () => {
    const { ledger } = (await (await fetch(`${waybill.url}/v1/status`)).json()) as { ledger: { size: number; head: typeof head } };
    head = ledger.head;
    return head.size === ledger.size;
  });
  return head;
}

function refusal(file: string, exit = 1): string {
  const { status: code, stderr } = spawnSync(process.execPath, [MAIN, 'run', '-c', file], { encoding: 'utf8', timeout: 30_000 });
  assert.equal(code, exit, stderr);
  return stderr;
}

describe('a ledger whose end is gone', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'waybill-rewound-'));
  after(() => rmSync(directory, { recursive: true, force: true }));
  const port = await freePort();
  const yaml = (origin: string, keys: string): string => `ledger: { origin: ${origin}, path: ./data, keys: ${keys}, segment: 1MiB }
api: { listen: 127.0.0.1:${port} }
log_level: warn
sources:
  app: { type: http, schema: json, id_field: id }
`;
  const file = initWaybill(directory, yaml(ORIGIN, './keys'));
  const data = join(directory, 'data');
  const older = join(directory, 'older');
  const newer = join(directory, 'newer');
  let known = { size: 0, root: '' };
  let before: string[] = [];

  test('is made', async () => {
    let waybill = await startWaybill(file, port);
    await send(waybill.url, 0, 900);
    await hashed(waybill);
    await waybill.end('SIGTERM');
    cpSync(data, older, { recursive: true });
    waybill = await startWaybill(file, port);
    before = await allEntries(waybill.url);
    await send(waybill.url, 900, 1_000);
    known = await hashed(waybill);
    await waybill.end('SIGTERM');
    renameSync(data, newer);
  });

  for (const part of ['tree', 'identities'])
    test(`is not started while ${part} knows more, however often, and nothing is changed`, () => {
      rmSync(data, { recursive: true, force: true });
      cpSync(older, data, { recursive: true });
      rmSync(join(data, 'tree'), { recursive: true });
      rmSync(join(data, 'identities'), { recursive: true });
      cpSync(join(newer, part), join(data, part), { recursive: true });
      for (let start = 0; start < 2; start++)
        assert.match(refusal(file), /10\d\d entries, and the ledger has 9\d\d[^]*LEDGER_REWOUND: .*--continue-as-new/);
    });

  test('goes on under a name of its own, with everything that is there, and says what was lost', async () => {
    renameSync(data, join(directory, 'data.old'));
    const restore = (...words: readonly string[]): string =>
      execFileSync(process.execPath, [MAIN, 'restore', '-c', file, '--from', join(directory, 'data.old'), ...words], {
        encoding: 'utf8',
        stdio: 'pipe',
      });
    assert.throws(() => restore('--continue-as-new'), /set it to rewound.example\/audit\/2 first/);
    assert.throws(() => restore('--head', `${known.size}:${known.root}`), /RESTORE_INCOMPLETE/);
    writeFileSync(file, yaml(`${ORIGIN}/2`, './keys2'));
    const said = restore('--continue-as-new', '--head', `${known.size}:${known.root}`);
    assert.match(said, /goes on from rewound.example\/audit: entry \d+ says so/);
    assert.match(refusal(file, 78), /KEYS_MISSING/);
    execFileSync(process.execPath, [MAIN, 'init', '-c', file]);
    const waybill = await startWaybill(file, port);
    try {
      const entries = await allEntries(waybill.url);
      sameLines(entries.slice(0, before.length), before, 'the entries that were there');
      const { event } = JSON.parse(entries[before.length] ?? '').entry;
      assert.equal(event.type, 'log.continued');
      assert.deepEqual(event.lost, { from: before.length, through: known.size - 1 });
      assert.deepEqual(event.known_head, known);
      // Identities live on; those of the lost range are lost with it.
      assert.equal((await send(waybill.url, 800, 1_000)).duplicates.length, 100);
      assert.equal((await status(waybill.url)).ledger.size, entries.length + 100);
    } finally {
      await waybill.end('SIGTERM');
    }
    assert.match(readFileSync(join(directory, 'keys2', 'log.vkey'), 'utf8'), /^rewound\.example\/audit\/2\+/);
  });
});
