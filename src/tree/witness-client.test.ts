import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GrownTree } from '../../test/doubles/grown-tree.ts';
import { ListLog, ManualClock, settle } from '../../test/doubles/manual-ports.ts';
import { noteSigner } from '../../test/doubles/note-signer.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { Signer } from '../contracts/heads.ts';
import type { Http, HttpRequest, HttpResponse } from '../contracts/ports.ts';
import { asSize } from '../contracts/units.ts';
import { cosignatureMessage, encodeCosignature } from '../tlog/cosignature.ts';
import { parseVerifierKey } from '../tlog/key.ts';
import { formatSignature } from '../tlog/note.ts';
import { parsePolicy, quorumMet } from '../tlog/policy.ts';
import { sha256 } from './grow.ts';
import { noteOf, signHead, verifyHead } from './head-note.ts';
import { makeSigningKey, openSigner } from './signing-key.ts';
import { askWitness } from './witness-client.ts';
import { Witnesses } from './witnesses.ts';

const ORIGIN = 'test.example/log';

/** The key of a cosigner: the name of a freshness key is as good as any. */
function cosigner(seed: number, origin = `w${seed}.example`): Signer {
  return openSigner(makeSigningKey(origin, 'freshness', Buffer.alloc(32, seed)), { origin, use: 'freshness', place: 'the test' });
}

const LOG = openSigner(makeSigningKey(ORIGIN, 'log', Buffer.alloc(32, 1)), { origin: ORIGIN, use: 'log', place: 'the test' });
const FRESHNESS = cosigner(2, ORIGIN);

const headAt = async (grown: GrownTree, size: number): Promise<string> =>
  signHead({ origin: ORIGIN, size, root: await grown.tree.root(asSize(size)) }, { log: [LOG], freshness: FRESHNESS }, 0);

/** The line of a cosigner under a checkpoint. */
async function lineOf(signer: Signer, checkpoint: string, time = 1_000): Promise<string> {
  const { name, id } = parseVerifierKey(sha256, signer.verifierKey);
  const signature = await signer.sign(cosignatureMessage(time, noteOf(checkpoint).text));
  return formatSignature({ name, id, bytes: encodeCosignature({ time, signature }) });
}

function answer(status: number, body: string, type = 'text/plain'): HttpResponse {
  return { status, headers: { 'content-type': type }, body: Buffer.from(body) };
}

/** Witnesses that answer as a test says, by the host of their address. */
function httpOf(reply: (host: string, request: HttpRequest) => Promise<HttpResponse>): Http & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    send(request, signal) {
      asked.push(
        `${new URL(request.url).host} ${
          Buffer.from(request.body ?? [])
            .toString()
            .split('\n', 1)[0]
        }`,
      );
      return new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(new WaybillError('SINK_ANSWER_LOST', 'given up')), { once: true });
        reply(new URL(request.url).host, request).then(resolve, reject);
      });
    },
    reach: () => Promise.reject(new Error('nobody asks for this')),
  };
}

describe('a witness that is asked', () => {
  const key = cosigner(5);
  const ask = async (response: HttpResponse, checkpoint: string) =>
    askWitness(
      { name: 'w', url: 'http://w/prefix/', timeoutMs: 1_000 },
      parseVerifierKey(sha256, key.verifierKey),
      { checkpoint, old: 3, proof: [] },
      { http: httpOf(async () => response), clock: new ManualClock() },
    );

  test('gives its line, and other lines that come with it are left out', async () => {
    const checkpoint = await headAt(new GrownTree(5), 5);
    const lines = (await lineOf(cosigner(6), checkpoint)) + (await lineOf(key, checkpoint));
    const cosigned = await ask(answer(200, lines), checkpoint);
    assert.ok(cosigned.kind === 'cosigned');
    assert.equal(formatSignature(cosigned.line), await lineOf(key, checkpoint));
  });

  test('says where it is, and what it is not shown to continue', async () => {
    const checkpoint = await headAt(new GrownTree(5), 5);
    assert.deepEqual(await ask(answer(409, '7\n', 'text/x.tlog.size; charset=utf-8'), checkpoint), { kind: 'elsewhere', size: 7 });
    assert.equal((await ask(answer(422, 'no\n'), checkpoint)).kind, 'conflict');
  });

  test('whatever else it answers is no cosignature, and is shown without control characters', async () => {
    const grown = new GrownTree(5);
    const checkpoint = await headAt(grown, 5);
    const rows: readonly (readonly [string, HttpResponse, string])[] = [
      ['a line of another key', answer(200, await lineOf(cosigner(6), checkpoint)), 'WITNESS_REFUSED'],
      ['a line under another head', answer(200, await lineOf(key, await headAt(grown, 4))), 'WITNESS_REFUSED'],
      ['a line that was changed', answer(200, (await lineOf(key, checkpoint)).replace(/.\n$/, 'A\n')), 'WITNESS_REFUSED'],
      ['nothing', answer(200, ''), 'WITNESS_REFUSED'],
      ['a page', answer(200, '<html>\n'), 'WITNESS_REFUSED'],
      ['another text before its line', answer(200, `hello\n\n${await lineOf(key, checkpoint)}`), 'WITNESS_REFUSED'],
      ['a size of another type', answer(409, '7\n'), 'WITNESS_REFUSED'],
      ['a size that is none', answer(409, '07\n', 'text/x.tlog.size'), 'WITNESS_REFUSED'],
      ['that it does not know the log', answer(404, 'no such\u001b[31m log\n'), 'WITNESS_REFUSED'],
      ['that it does not know the key', answer(403, ''), 'WITNESS_REFUSED'],
      ['a redirect', answer(302, ''), 'WITNESS_REFUSED'],
      ['that it is busy', answer(503, ''), 'WITNESS_UNREACHABLE'],
    ];
    for (const [what, response, code] of rows) {
      await assert.rejects(ask(response, checkpoint), (error: WaybillError) => {
        assert.equal(error.code, code, what);
        assert.ok(!error.message.includes('\u001b'), what);
        return true;
      });
    }
  });

  test('has its time and no more', async () => {
    const clock = new ManualClock();
    const asked = askWitness(
      { name: 'w', url: 'http://w', timeoutMs: 1_000 },
      parseVerifierKey(sha256, key.verifierKey),
      { checkpoint: await headAt(new GrownTree(5), 5), old: 0, proof: [] },
      { http: httpOf(() => new Promise(() => {})), clock },
    );
    const refused = assert.rejects(asked, { code: 'WITNESS_UNREACHABLE' });
    await settle();
    await clock.pass(1_000);
    await refused;
    assert.equal(clock.sleeping(), 0);
  });
});

describe('witnesses', () => {
  const keys = [cosigner(11), cosigner(12), cosigner(13)];

  function open(
    required: readonly boolean[],
    quorum: number,
    reply: (host: string, request: HttpRequest) => Promise<HttpResponse>,
    names: readonly string[] = ['w0', 'w1', 'w2'],
  ) {
    const grown = new GrownTree(20);
    const [clock, log, http] = [new ManualClock(), new ListLog(), httpOf(reply)];
    const witnesses = required.map((isRequired, k) => ({
      name: names[k] ?? '',
      verifierKey: keys[k]?.verifierKey ?? '',
      url: `http://w${k}`,
      required: isRequired,
      timeoutMs: 1_000,
    }));
    return { grown, clock, log, http, all: new Witnesses({ witnesses, quorum }, grown.tree, { http, clock, log }) };
  }

  /** Witnesses of which some sign, and the others are away. */
  const signing =
    (who: readonly number[]) =>
    async (host: string, request: HttpRequest): Promise<HttpResponse> => {
      const k = Number(host.slice(1));
      if (!who.includes(k)) throw new WaybillError('SINK_UNREACHABLE', 'away');
      const text = Buffer.from(request.body ?? []).toString();
      return answer(200, await lineOf(keys[k] ?? assert.fail(), text.slice(text.indexOf('\n\n') + 2)));
    };

  const ROWS: readonly (readonly [string, readonly boolean[], number, readonly number[], string | null])[] = [
    ['nobody has to sign', [false, false], 0, [], null],
    ['who is required signed', [true, false], 0, [0], null],
    ['who is required did not', [true, false], 0, [1], 'w0'],
    ['one of two that are required did not', [true, true, false], 0, [0, 2], 'w1'],
    ['enough signed', [false, false, false], 2, [0, 2], null],
    ['not enough signed', [false, false, false], 2, [1], 'w0, w2'],
    ['enough signed, and not who is required', [true, false, false], 2, [1, 2], 'w0'],
    ['who is required signed, and not enough', [true, false, false], 2, [0], 'w1, w2'],
    ['both', [true, false, false], 2, [0, 1], null],
  ];
  for (const [what, required, quorum, who, missing] of ROWS) {
    test(`${what}: ${missing === null ? 'published' : 'held back'}`, async () => {
      const { all, grown } = open(required, quorum, signing(who));
      const cosigned = await all.cosign(await headAt(grown, 10));
      assert.equal(cosigned.missing, missing);
      const own = keys.map(({ verifierKey }) => verifierKey);
      const lines = who.length === 0 ? [] : verifyHead(cosigned.checkpoint, own);
      assert.equal(lines.length, who.length);
    });
  }

  test('a name is only a name: who is called like a part of the policy does not stand for it', async () => {
    const names = ['required', 'enough', 'both'];
    const { all, grown } = open([false, false, true], 2, signing([0, 1]), names);
    assert.equal((await all.cosign(await headAt(grown, 10))).missing, 'both');
  });

  test('what they have to do is a policy that anyone can read, with the same meaning', () => {
    for (const quorum of [0, 1, 2, 3]) {
      for (const required of [
        [false, false, false],
        [true, false, false],
        [true, true, false],
        [true, true, true],
      ]) {
        const { all } = open(required, quorum, signing([]));
        const policy = parsePolicy(sha256, all.policyText([noteSigner('acme.example/audit', 1).verifierKey]));
        for (let who = 0; who < 8; who++) {
          const signers = keys.filter((_, k) => (who >> k) % 2 === 1).map(({ verifierKey }) => parseVerifierKey(sha256, verifierKey));
          const wanted = required.every((isRequired, k) => !isRequired || (who >> k) % 2 === 1) && signers.length >= quorum;
          assert.equal(quorumMet(policy, signers), wanted, `${required.join()} ${quorum} ${who}`);
        }
      }
    }
  });

  test('one that is away is left alone for longer and longer; one that is required is asked each time', async () => {
    const { all, grown, clock, http, log } = open([false, true], 0, signing([]));
    const checkpoint = await headAt(grown, 10);
    for (let second = 0; second < 20; second++) {
      await all.cosign(checkpoint);
      await clock.pass(1_000);
    }
    const times = (host: string): number => http.asked.filter((line) => line.startsWith(host)).length;
    assert.deepEqual([times('w0'), times('w1')], [5, 20]);
    assert.equal(log.lines.filter(({ level }) => level === 'warn').length, 2);
    assert.deepEqual(
      all.status().map(({ failures, fault }) => [failures, fault?.code]),
      [
        [5, 'WITNESS_UNREACHABLE'],
        [20, 'WITNESS_UNREACHABLE'],
      ],
    );
  });

  test('one that is elsewhere is shown the way from there, and one that is ahead or disagrees stops heads', async () => {
    let at = 4;
    const { all, grown, http } = open([true], 0, async (_, request) => {
      const text = Buffer.from(request.body ?? []).toString();
      if (!text.startsWith(`old ${at}\n`)) return answer(409, `${at}\n`, 'text/x.tlog.size');
      if (at === 11) return answer(422, 'no');
      return answer(200, await lineOf(keys[0] ?? assert.fail(), text.slice(text.indexOf('\n\n') + 2)));
    });
    assert.equal((await all.cosign(await headAt(grown, 10))).missing, null);
    assert.deepEqual(http.asked, ['w0 old 0', 'w0 old 4']);
    at = 11;
    await assert.rejects(all.cosign(await headAt(grown, 10)), {
      code: 'WITNESS_CONFLICT',
      message: /over 11 entries, and ours is over 10/,
    });
    await assert.rejects(all.cosign(await headAt(grown, 12)), { code: 'WITNESS_CONFLICT', message: /12 entries do not continue its 11/ });
    await assert.rejects(all.refuseRewound(await headAt(grown, 10), 10, true), {
      code: 'LEDGER_REWOUND',
      message: /over 11 entries, and the ledger has 10/,
    });
    await assert.rejects(all.refuseRewound(await headAt(grown, 12), 12, true), {
      code: 'LEDGER_REWOUND',
      message: /over 11 entries that these do not/,
    });
    await all.refuseRewound(await headAt(grown, 12), 12, false);
  });

  test('a start does not wait for one that hangs', async () => {
    const { all, grown, clock } = open([true], 0, () => new Promise(() => {}));
    const asked = all.refuseRewound(await headAt(grown, 10), 10, true);
    await settle();
    await clock.pass(1_000);
    await asked;
    assert.equal(all.status()[0]?.fault?.code, 'WITNESS_UNREACHABLE');
  });
});
