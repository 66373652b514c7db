import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { freePort } from '../../src/cli/machine.ts';
import { MAIN, startWaybill } from '../crash/process.ts';
import { initWitness, startWitness } from '../crash/witness-process.ts';
import { attackTable } from './attack-table.ts';
import { TAMPERINGS } from './tamper-table.ts';
import { headOver, type Item, openTamperWorld } from './tamper-world.ts';

const world = await openTamperWorld();
after(() => world.remove());

describe('a ledger that the real server wrote under load', () => {
  test('is verified, with the heads that a destination holds', async () => {
    const words = ['--head', world.earlierHead, '--head', world.laterHead, '--head', world.destinationHead, '--identities'];
    const { code, result } = await world.verify('ledger', world.ledger, '--key', world.verifierKey, ...words);
    assert.deepEqual(result.findings, []);
    assert.equal(code, 0);
    assert.equal(result.size, world.size);
    assert.equal(result.head?.size, world.size, 'it was closed with a head over its last entry');
    assert.ok(world.size >= 8_000 && result.counted.files >= 3, `${world.size} entries in ${result.counted.files} files`);
  });

  test('is verified when it was written anew as it was', async () => {
    const { code, result } = await world.verify('ledger', await world.forge(world.items), '--key', world.verifierKey);
    assert.deepEqual([code, result.findings], [0, []]);
  });

  test('is verified by the command itself, which says where the key came from', () => {
    const { status, stdout } = spawnSync(process.execPath, [MAIN, 'verify', 'ledger', '-c', world.file], { encoding: 'utf8' });
    assert.equal(status, 0, stdout);
    assert.match(stdout, /^verified: [\d,]+ entries of acme\.example\/audit\n/);
    assert.match(stdout, /key from .*\/keys\/log\.vkey: compare it with what you were given/);
  });
});

describe('tampering is found, with the lowest index and in words', { concurrency: 4 }, () => {
  for (const { attack, by, code, message, tamper } of TAMPERINGS) {
    test(`${attack} (${by})`, async () => {
      const { directory, words = [], lowest } = await tamper(world);
      const answer = await world.verify('ledger', directory, '--key', world.verifierKey, ...words);
      rmSync(directory, { recursive: true });
      const { findings } = answer.result;
      const found = findings.find((finding) => finding.code === code);
      assert.ok(found !== undefined, `found only ${JSON.stringify(findings)}`);
      assert.match(found.message, message);
      assert.equal(answer.code, 3);
      assert.equal(answer.result.ok, false);
      const index = answer.result.lowest?.index ?? null;
      if (typeof lowest === 'number') assert.equal(index, lowest);
      else if (lowest === undefined) assert.equal(index, null);
      else assert.ok(index !== null && index >= lowest[0] && index < lowest[1], `${index} is not in ${lowest.join(' … ')}`);
    });
  }
});

describe('who else finds it', () => {
  test('a snapshot that is put back is refused at the start, because a destination has more', async () => {
    const data = `${world.directory}/data`;
    renameSync(data, `${data}.whole`);
    cpSync(world.snapshot, data, { recursive: true });
    try {
      await assert.rejects(world.start(), /LEDGER_REWOUND/);
    } finally {
      rmSync(data, { recursive: true });
      renameSync(`${data}.whole`, data);
    }
  });

  test('a witness signs one branch and refuses the other', async () => {
    const port = await freePort();
    const place = world.place();
    cpSync(world.snapshot, place, { recursive: true });
    const yaml = `name: witness.example\nlisten: 127.0.0.1:${port}\npath: ./state\nlogs:\n  - vkeys: ["${world.verifierKey}"]\n`;
    const witness = await startWitness(initWitness(place, yaml).file, port);
    try {
      const honest = readFileSync(world.laterHead, 'utf8');
      const first = await witness.add(Buffer.from(`old 0\n\n${honest}`));
      assert.equal(first.status, 200, first.text);
      const seen = Number(honest.split('\n')[1]);
      const lines = world.items.filter(({ kind }) => kind === 'entry').slice(0, seen);
      const last = lines.at(-1) as Item & { readonly kind: 'entry' };
      const branch = headOver([...lines.slice(0, -1), { kind: 'entry', line: last.line.replace('xxx', 'yyy') }], world.origin, world.thief);
      const second = await witness.add(Buffer.from(`old ${seen}\n\n${(branch as Item & { readonly kind: 'head' }).note}`));
      assert.equal(second.status, 422, second.text);
    } finally {
      await witness.end('SIGKILL');
    }
  });

  test('a ledger is verified while the server writes to it', async () => {
    const server = await startWaybill(world.file, world.port);
    try {
      const { code, result } = await world.verify('ledger', '-c', world.file);
      assert.deepEqual([code, result.findings], [0, []]);
    } finally {
      await server.end('SIGKILL');
    }
  });
});

test('the attack table on the page about guarantees is this one', () => {
  const page = readFileSync(new URL('../../docs/guarantees.md', import.meta.url), 'utf8');
  const table = attackTable();
  assert.ok(page.includes(table), `put this between the lines of the table in docs/guarantees.md:\n${table}`);
});
