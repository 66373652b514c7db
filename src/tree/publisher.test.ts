import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { GrownTree } from '../../test/doubles/grown-tree.ts';
import { ListLog, ManualClock, settle } from '../../test/doubles/manual-ports.ts';
import type { WaybillError } from '../contracts/errors.ts';
import type { Signer } from '../contracts/heads.ts';
import type { Http } from '../contracts/ports.ts';
import { asIndex, asSize } from '../contracts/units.ts';
import { headOf, verifyHead } from './head-note.ts';
import type { LogSigners } from './key-store.ts';
import { type OpenHeads, openHeads } from './publisher.ts';
import { makeSigningKey, openSigner } from './signing-key.ts';
import { Witnesses } from './witnesses.ts';

const ORIGIN = 'test.example/log';

/** Signers with keys of their own for each number. */
function signersOf(number = 1): { readonly log: Signer; readonly freshness: Signer } {
  const one = (use: 'log' | 'freshness', seed: number): Signer =>
    openSigner(makeSigningKey(ORIGIN, use, Buffer.alloc(32, seed)), { origin: ORIGIN, use, place: 'the test' });
  return { log: one('log', number), freshness: one('freshness', number + 100) };
}

const NO_HTTP: Http = {
  send: () => Promise.reject(new Error('nobody is asked')),
  reach: () => Promise.reject(new Error('nobody is asked')),
};

/** Heads of a tree that grows by hand, under a clock that moves by hand. */
async function open(t: TestContext, grown: GrownTree, own: Pick<LogSigners, 'log' | 'freshness'> & Partial<LogSigners> = signersOf()) {
  const signers = { next: null, lost: null, ...own };
  const clock = new ManualClock();
  const log = new ListLog();
  const adopted: string[] = [];
  const heads = await openHeads({
    ledger: { ...grown.ledger, register: grown.register },
    tree: grown.tree,
    signers,
    ports: { clock, log },
    publishMs: 250,
    adoptKey: async () => void adopted.push('key'),
    witnesses: new Witnesses({ witnesses: [], quorum: 0 }, grown.tree, { clock, log, http: NO_HTTP }),
  });
  let open_ = true;
  const close = async (): Promise<void> => {
    if (!open_) return;
    open_ = false;
    const closed = heads.close();
    for (let k = 0; k < 100; k++) await clock.pass(100);
    await closed;
  };
  t.after(close);
  await settle();
  return { heads, clock, log, close, adopted };
}

/** Size of what is published, after its lines were checked: that of the log, and that of its freshness with a time. */
function publishedSize(heads: OpenHeads, signers = signersOf()): number | null {
  const head = heads.published();
  if (head === null) return null;
  const lines = verifyHead(head.checkpoint, [signers.log.verifierKey, signers.freshness.verifierKey]);
  assert.deepEqual(
    lines.map(({ time }) => time === null),
    [true, false],
  );
  assert.deepEqual({ origin: ORIGIN, size: head.size, root: head.root }, headOf(head.checkpoint));
  return head.size;
}

describe('heads', () => {
  test('begin with the empty tree, and follow what is durable at their interval', async (t) => {
    const grown = new GrownTree();
    const { heads, clock } = await open(t, grown);
    assert.equal(publishedSize(heads), 0);
    grown.grow(3);
    await clock.pass(249);
    assert.equal(publishedSize(heads), 0);
    await clock.pass(1);
    assert.equal(publishedSize(heads), 3);
    assert.equal(heads.published()?.root, await grown.tree.root(asSize(3)));
    // After a pause the first entry does not wait for the interval.
    await clock.pass(5_000);
    grown.grow(2);
    await settle();
    assert.equal(publishedSize(heads), 5);
    grown.grow(1);
    await settle();
    assert.equal(publishedSize(heads), 5);
    await clock.pass(250);
    assert.equal(publishedSize(heads), 6);
  });

  test('are recorded before anybody sees them, and never cover what is not in the tree', async (t) => {
    const grown = new GrownTree();
    const { heads, clock } = await open(t, grown);
    const seen: string[] = [];
    grown.onRecord = (key, value) => {
      const { size, complete } = JSON.parse(value) as { readonly size: number; readonly complete: boolean };
      seen.push(`${key} ${size} ${complete}, published ${heads.published()?.size}`);
    };
    grown.grow(4, 1);
    await clock.pass(300);
    grown.grow(0);
    await clock.pass(300);
    assert.deepEqual(seen, ['tree.head 3 true, published 0', 'tree.head 4 true, published 3']);
  });

  test('wait for whoever needs one that covers an entry, until that one gives up', async (t) => {
    const grown = new GrownTree();
    const { heads, clock } = await open(t, grown);
    const given = new AbortController();
    const waiting = heads.waitCovering(asSize(2), new AbortController().signal);
    const impatient = assert.rejects(heads.waitCovering(asSize(2), given.signal), /enough/);
    const newer = heads.waitNewer(heads.published(), new AbortController().signal);
    given.abort(new Error('enough'));
    await impatient;
    grown.grow(2);
    await clock.pass(250);
    assert.equal((await waiting).size, 2);
    assert.equal((await newer).size, 2);
    assert.equal((await heads.waitCovering(asSize(1), new AbortController().signal)).size, 2);
  });

  test('are made fresh when nothing is new: the same head with a later time, recorded', async (t) => {
    const grown = new GrownTree(7);
    const { heads, clock } = await open(t, grown);
    const before = heads.published();
    await clock.pass(59_000);
    assert.deepEqual(heads.published(), before);
    await clock.pass(1_000);
    const after = heads.published();
    assert.equal(publishedSize(heads), 7);
    assert.equal(after?.root, before?.root);
    assert.equal((after?.at ?? 0) - (before?.at ?? 0), 60_000);
    assert.ok(grown.facts.get('tree.head')?.includes(JSON.stringify(after?.checkpoint).slice(1, -1)));
  });

  test('are the same after a restart, before the tree has grown and after', async (t) => {
    const grown = new GrownTree(5);
    const first = await open(t, grown);
    const { root } = first.heads.published() ?? assert.fail('nothing is published');
    await first.close();
    // The files of the tree were lost: it is built again.
    grown.hashedTo(2);
    const { heads, clock } = await open(t, grown);
    await clock.pass(1_000);
    assert.equal(heads.published(), null);
    grown.hashedTo(5);
    await clock.pass(25);
    assert.equal(publishedSize(heads), 5);
    assert.equal(heads.published()?.root, root);
  });

  test('a ledger with fewer entries than were signed is refused', async (t) => {
    const grown = new GrownTree(5);
    const { close } = await open(t, grown);
    await close();
    await assert.rejects(open(t, new GrownTree(4, grown.facts)), { code: 'LEDGER_REWOUND', message: /over 5 entries .* the ledger has 4/ });
  });

  test('other entries than were signed are refused: at once, or when the tree has got there, and nothing is signed', async (t) => {
    const grown = new GrownTree(5);
    const { close } = await open(t, grown);
    await close();
    const changed = new GrownTree(6, grown.facts, 'other');
    await assert.rejects(open(t, changed), { code: 'LEDGER_CORRUPT', message: /root over the first 5 entries/ });
    changed.hashedTo(3);
    const { heads, clock } = await open(t, changed);
    changed.hashedTo(6);
    await clock.pass(25);
    assert.match((await heads.failed).message, /entries were changed/);
    assert.deepEqual([heads.published(), changed.recorded], [null, []]);
  });

  test('a recorded head that its key did not sign is refused', async (t) => {
    const grown = new GrownTree(5);
    const { close } = await open(t, grown);
    await close();
    const text = grown.facts.get('tree.head') ?? '';
    for (const damaged of [text.replace('\\n5\\n', '\\n4\\n'), text.replace('"size":5', '"size":4'), '{"v":1}', '{']) {
      grown.facts.set('tree.head', damaged);
      await assert.rejects(open(t, grown), { code: 'LEDGER_CORRUPT' }, damaged);
    }
  });

  test('another key than the one that signed is refused, and named', async (t) => {
    const grown = new GrownTree(5);
    const { close } = await open(t, grown);
    await close();
    await assert.rejects(open(t, grown, signersOf(2)), (error: Error) => {
      assert.ok(error.message.includes(signersOf(1).log.verifierKey));
      assert.equal((error as WaybillError).code, 'KEY_FOREIGN');
      return true;
    });
  });

  test('a key that cannot be reached holds up heads and nothing else, and is told once', async (t) => {
    const grown = new GrownTree();
    const { log, freshness } = signersOf();
    let failing = false;
    const flaky: Signer = {
      ...log,
      sign: (message) => (failing ? Promise.reject(new Error('the device does not answer')) : log.sign(message)),
    };
    const { heads, clock, log: lines } = await open(t, grown, { log: flaky, freshness });
    failing = true;
    grown.grow(3);
    for (let k = 0; k < 40; k++) await clock.pass(500);
    assert.equal(publishedSize(heads), 0);
    assert.equal(heads.status().fault?.code, 'SIGNING_FAILED');
    assert.equal(lines.lines.filter(({ level }) => level === 'warn').length, 1);
    failing = false;
    for (let k = 0; k < 21; k++) await clock.pass(500);
    assert.equal(publishedSize(heads), 3);
    assert.equal(heads.status().fault, null);
  });

  test('a signature that nobody can verify is never recorded', async (t) => {
    const grown = new GrownTree();
    const { log, freshness } = signersOf();
    const { heads } = await open(t, grown, { log: { ...log, sign: async () => new Uint8Array(64) }, freshness });
    assert.deepEqual([heads.published(), grown.facts.has('tree.head')], [null, false]);
    assert.equal(heads.status().fault?.code, 'SIGNING_FAILED');
  });

  test('a stop leaves nothing that is durable without a head', async (t) => {
    const grown = new GrownTree();
    const { heads, close } = await open(t, grown);
    grown.grow(4);
    await close();
    assert.equal(publishedSize(heads), 4);
  });

  test('of a key that takes over: the entry is under a head of both keys, then the new one signs alone', async (t) => {
    const grown = new GrownTree(5);
    const [old, new_] = [signersOf(1), signersOf(2)];
    await (await open(t, grown, old)).close();
    const handing = { ...old, next: new_.log };
    const { heads, clock, close, adopted } = await open(t, grown, handing);
    await clock.pass(1_000);
    assert.deepEqual(grown.recorded.filter((key) => key === 'tree.head').length, 1, 'nothing is signed before the entry is there');
    const entries: unknown[] = [];
    await heads.declareKeys(async (facts) => {
      entries.push(facts);
      grown.grow(1);
      return asIndex(5);
    });
    await clock.pass(300);
    assert.deepEqual(entries, [{ use: 'log', old: old.log.verifierKey, new: new_.log.verifierKey }]);
    assert.equal(verifyHead(heads.published()?.checkpoint ?? '', [old.log.verifierKey, new_.log.verifierKey]).length, 2);
    assert.deepEqual(
      heads.keys().map(({ verifierKey, from, through }) => [verifierKey, Number(from), through]),
      [
        [old.log.verifierKey, 0, 6],
        [new_.log.verifierKey, 6, null],
      ],
    );
    assert.deepEqual(adopted, ['key']);
    grown.grow(3);
    await clock.pass(300);
    const { checkpoint = '', size } = heads.published() ?? {};
    assert.equal(size, 9);
    assert.equal(verifyHead(checkpoint, [new_.log.verifierKey]).length, 1);
    assert.throws(() => verifyHead(checkpoint, [old.log.verifierKey]));
    await close();
    // A crash before the files were changed: the key that took over is still the next one.
    const again = await open(t, grown, handing);
    await again.heads.declareKeys(() => assert.fail('it was declared already'));
    await again.clock.pass(300);
    assert.equal(publishedSize(again.heads, { log: new_.log, freshness: old.freshness }), 9);
    assert.deepEqual(again.adopted, ['key']);
  });

  test('of a key that takes over after a crash at any step: declared once, and both keys sign the head that covers it', async (t) => {
    const [old, new_] = [signersOf(1), signersOf(2)];
    for (let survived = 0; survived < 4; survived++) {
      const grown = new GrownTree(5);
      await (await open(t, grown, old)).close();
      const first = await open(t, grown, { ...old, next: new_.log });
      // The process dies when so many things were recorded: what it wants to record then is not.
      let records = 0;
      grown.onRecord = () => {
        if (records++ >= survived) throw new Error('the process is gone');
      };
      const entries = new Set<string>();
      const declare = async (_: unknown, key: string) => {
        if (!entries.has(key)) grown.grow(1);
        entries.add(key);
        return asIndex(5);
      };
      await first.heads.declareKeys(declare);
      for (let k = 0; k < 4; k++) await first.clock.pass(300);
      grown.onRecord = () => {};
      grown.grow(survived);
      const second = await open(t, grown, { ...old, next: new_.log });
      await second.heads.declareKeys(declare);
      for (let k = 0; k < 4; k++) await second.clock.pass(300);
      const [before, after] = second.heads.keys();
      assert.deepEqual([before?.through, after?.verifierKey], [after?.from, new_.log.verifierKey]);
      assert.equal(entries.size, 1);
      assert.ok(verifyHead(second.heads.published()?.checkpoint ?? '', [new_.log.verifierKey]).length === 1);
      assert.deepEqual(second.adopted, ['key']);
    }
  });

  test('of a key whose predecessor is gone: declared as that, and only the new one signs', async (t) => {
    const grown = new GrownTree(5);
    const [old, new_] = [signersOf(1), signersOf(2)];
    await (await open(t, grown, old)).close();
    const { heads, clock } = await open(t, grown, { log: new_.log, freshness: old.freshness, lost: old.log.verifierKey });
    const entries: unknown[] = [];
    await heads.declareKeys(async (facts) => {
      entries.push(facts);
      grown.grow(1);
      return asIndex(5);
    });
    await clock.pass(300);
    assert.deepEqual(entries, [{ use: 'log', old: old.log.verifierKey, new: new_.log.verifierKey, lost: true }]);
    assert.throws(() => verifyHead(heads.published()?.checkpoint ?? '', [old.log.verifierKey]));
    assert.deepEqual(
      heads.keys().map(({ from, through }) => [Number(from), through]),
      [
        [0, 5],
        [6, null],
      ],
    );
    assert.equal(publishedSize(heads, { log: new_.log, freshness: old.freshness }), 6);
  });

  test('another freshness key is declared, and signs from then on', async (t) => {
    const grown = new GrownTree(5);
    const [old, new_] = [signersOf(1), signersOf(2)];
    await (await open(t, grown, old)).close();
    const { heads, clock } = await open(t, grown, { log: old.log, freshness: new_.freshness });
    const entries: unknown[] = [];
    await heads.declareKeys(async (facts) => {
      entries.push(facts);
      grown.grow(1);
      return asIndex(5);
    });
    await clock.pass(300);
    assert.deepEqual(entries, [{ use: 'freshness', old: old.freshness.verifierKey, new: new_.freshness.verifierKey }]);
    assert.equal(publishedSize(heads, { log: old.log, freshness: new_.freshness }), 6);
  });
});
