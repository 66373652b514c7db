import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { build } from 'vite';
import { formatCheckpoint } from '../../src/tlog/checkpoint.ts';
import { type Hash, leafHash, nodeHash } from '../../src/tlog/hash.ts';
import { formatNote } from '../../src/tlog/note.ts';
import { inclusionProof, rootOf } from '../../src/tlog/proof.ts';
import { formatTlogProof } from '../../src/tlog/tlog-proof.ts';
import { noteSigner, sha256 } from '../doubles/note-signer.ts';
import { startChromium } from './chromium.ts';

// What an auditor's page does: the code of src/tlog, bundled as it is, checks a proof that the server side made, with the page's own
// cryptography and without the network.
const SOURCE = join(import.meta.dirname, '../../src/tlog');
const ENTRY = `
  import { parseCheckpoint } from '${SOURCE}/checkpoint.ts';
  import { leafHash } from '${SOURCE}/hash.ts';
  import { parseNote, signaturesToCheck } from '${SOURCE}/note.ts';
  import { checkPolicy, parsePolicy, policyKeys } from '${SOURCE}/policy.ts';
  import { checkInclusion } from '${SOURCE}/proof.ts';
  import { sha256 } from '${SOURCE}/sha256.ts';
  import { parseTlogProof } from '${SOURCE}/tlog-proof.ts';

  globalThis.prove = async (file, policyText, entryText) => {
    const { index, proof, checkpoint } = parseTlogProof(file);
    const note = parseNote(new TextEncoder().encode(checkpoint));
    const policy = parsePolicy(sha256, policyText);
    const lines = signaturesToCheck(note, policyKeys(policy));
    for (const { key, message, signature } of lines) {
      const imported = await crypto.subtle.importKey('raw', key.publicKey, 'Ed25519', false, ['verify']);
      if (!(await crypto.subtle.verify('Ed25519', imported, signature, message))) return 'a wrong signature of ' + key.name;
    }
    const head = parseCheckpoint(note.text);
    checkPolicy(policy, head, lines);
    const entry = new TextEncoder().encode(entryText);
    const leaf = leafHash(sha256, entry, 0, entry.length);
    return checkInclusion(sha256, { size: head.size, index, leaf, proof, root: head.root }) ? 'proved' : 'not in the tree';
  };
`;

const directory = mkdtempSync(join(tmpdir(), 'waybill-tlog-'));
let browser: Browser;
let script = '';

before(async () => {
  await build({
    configFile: false,
    root: directory,
    logLevel: 'error',
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === 'virtual:entry' ? id : null),
        load: (id) => (id === 'virtual:entry' ? ENTRY : null),
      },
    ],
    build: { outDir: join(directory, 'out'), rollupOptions: { input: 'virtual:entry', output: { entryFileNames: 'tlog.js' } } },
  });
  script = readFileSync(join(directory, 'out/tlog.js'), 'utf8');
  browser = await startChromium();
});
after(async () => {
  await browser.close();
  rmSync(directory, { recursive: true });
});

test('a page checks a proof, and finds what was changed', async () => {
  const entries = Array.from({ length: 300 }, (_, k) => `{"v":1,"n":${k}}`);
  const leaves = entries.map((entry) => leafHash(sha256, Buffer.from(entry), 0, entry.length));
  const read = (level: number, index: number): Hash =>
    level === 0 ? (leaves[index] ?? '') : nodeHash(sha256, read(level - 1, 2 * index), read(level - 1, 2 * index + 1));
  const log = noteSigner('example.com/log', 1);
  const witness = noteSigner('witness.example', 2, 4);
  const text = formatCheckpoint({ origin: 'example.com/log', size: 300, root: await rootOf(sha256, 300, read) });
  const checkpoint = formatNote(text, [log.sign(text), witness.sign(text)]);
  const file = formatTlogProof({ index: 217, extra: null, proof: await inclusionProof(sha256, 300, 217, read), checkpoint });
  const policy = `log ${log.verifierKey}\nwitness w ${witness.verifierKey}\nquorum w\n`;
  const forged = formatTlogProof({
    index: 217,
    extra: null,
    proof: await inclusionProof(sha256, 300, 217, read),
    checkpoint: formatNote(text, [log.sign(text), { ...witness.sign(text), bytes: new Uint8Array(72) }]),
  });

  const page = await browser.newPage();
  // An address that Chromium counts as secure has the page's cryptography; nothing is asked of any server.
  await page.route('**/*', (route) => route.fulfill({ contentType: 'text/html', body: `<script type="module">${script}</script>` }));
  await page.goto('https://auditor.example/');
  await page.waitForFunction('typeof globalThis.prove === "function"');
  const prove = (...args: readonly string[]): Promise<unknown> => page.evaluate(`prove(...${JSON.stringify(args)})`);
  assert.equal(await prove(file, policy, entries[217] ?? ''), 'proved');
  assert.equal(await prove(file, policy, entries[218] ?? ''), 'not in the tree');
  assert.equal(await prove(forged, policy, entries[217] ?? ''), 'a wrong signature of witness.example');
  await assert.rejects(prove(file.replace('index 217', 'index 0217'), policy, ''), /TlogError/);
});
