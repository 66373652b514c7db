import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkEd25519, noteSigner, sha256 } from '../../test/doubles/note-signer.ts';
import { TestLog } from '../../test/doubles/test-log.ts';
import { parseAddRequest } from './add-request.ts';
import { type Refusal, refuseBranch, refuseForeign, type WatchedLog } from './judge.ts';

const ORIGIN = 'example.com/log';
const key = noteSigner(ORIGIN, 1);
const nextKey = noteSigner(ORIGIN, 2);
const stranger = noteSigner(ORIGIN, 3);
const log = new TestLog(ORIGIN, 20);
const branch = new TestLog(ORIGIN, 20, 12);
const watched: WatchedLog = { origin: ORIGIN, keys: [key.key, nextKey.key] };

const status = (refusal: Refusal | null): number | null => (refusal === null ? null : refusal.kind === 'conflict' ? 409 : refusal.status);

describe('who may be signed for', () => {
  test('a log that is known, with one of its keys', async () => {
    for (const signers of [[key], [nextKey], [key, nextKey], [stranger, key]]) {
      const request = parseAddRequest(await log.request({ from: 5, to: 9, signers }));
      assert.equal(refuseForeign(request, watched, checkEd25519), null);
    }
  });

  test('404 before 403 before 400', async () => {
    const unknown = parseAddRequest(await log.request({ from: 9, to: 5, signers: [stranger], proof: [] }));
    assert.equal(status(refuseForeign(unknown, undefined, checkEd25519)), 404);
    assert.equal(status(refuseForeign(unknown, watched, checkEd25519)), 403);
    const backwards = parseAddRequest(await log.request({ from: 9, to: 5, signers: [key], proof: [] }));
    assert.equal(status(refuseForeign(backwards, watched, checkEd25519)), 400);
  });

  test('a wrong line of a known key refuses all of it', async () => {
    const body = Buffer.from(await log.request({ from: 5, to: 9, signers: [key, nextKey] })).toString();
    const lines = body.split('\n');
    const at = lines.findLastIndex((line) => line.startsWith('— '));
    const other = Buffer.from(await log.request({ from: 5, to: 10, signers: [nextKey] }))
      .toString()
      .split('\n');
    lines[at] = other.findLast((line) => line.startsWith('— ')) ?? '';
    assert.equal(status(refuseForeign(parseAddRequest(Buffer.from(lines.join('\n'))), watched, checkEd25519)), 403);
  });
});

describe('what continues what was signed', () => {
  test('every step of a log, from nothing on', async () => {
    for (let from = 0; from <= 20; from += 1) {
      for (let to = from; to <= 20; to += 1) {
        const request = parseAddRequest(await log.request({ from, to, signers: [key] }));
        const newest = from === 0 ? null : await log.head(from);
        assert.equal(refuseBranch(sha256, request, newest), null, `${from} to ${to}`);
      }
    }
  });

  test('another size than the newest is told, and nothing else', async () => {
    const request = parseAddRequest(await log.request({ from: 5, to: 9, signers: [key] }));
    assert.deepEqual(refuseBranch(sha256, request, await log.head(7)), { kind: 'conflict', size: 7 });
    assert.deepEqual(refuseBranch(sha256, request, await log.head(4)), { kind: 'conflict', size: 4 });
    assert.deepEqual(refuseBranch(sha256, request, null), { kind: 'conflict', size: 0 });
    // What nothing was signed for and what is empty are the same.
    const first = parseAddRequest(await log.request({ from: 0, to: 9, signers: [key] }));
    assert.equal(refuseBranch(sha256, first, await log.head(0)), null);
  });

  test('a branch is refused, with the best proof there is', async () => {
    for (let from = 13; from <= 20; from += 1) {
      for (let to = from; to <= 20; to += 1) {
        const request = parseAddRequest(await branch.request({ from, to, signers: [key] }));
        assert.equal(status(refuseBranch(sha256, request, await log.head(from))), 422, `${from} to ${to}`);
      }
    }
    // Up to where they part both are the same log.
    const request = parseAddRequest(await branch.request({ from: 12, to: 20, signers: [key] }));
    assert.equal(refuseBranch(sha256, request, await log.head(12)), null);
  });

  test('a proof that is wrong, missing or too much is 422', async () => {
    const { proof, head } = { proof: await log.proof(5, 9), head: await log.head(5) };
    const refusal = async (hashes: readonly string[], from = 5, to = 9): Promise<number | null> =>
      status(
        refuseBranch(sha256, parseAddRequest(await log.request({ from, to, signers: [key], proof: hashes })), from === 5 ? head : null),
      );
    assert.equal(await refusal(proof), null);
    assert.equal(await refusal([]), 422);
    assert.equal(await refusal([...proof, proof[0] ?? '']), 422);
    assert.equal(await refusal(proof.toReversed()), 422);
    assert.equal(await refusal(proof, 5, 5), 422);
    assert.equal(await refusal(proof, 0, 9), 422);
    assert.equal(await refusal([], 0, 9), null);
  });

  test('an empty tree has one root', async () => {
    const text = Buffer.from(await log.request({ from: 0, to: 0, signers: [key] })).toString();
    assert.equal(refuseBranch(sha256, parseAddRequest(Buffer.from(text)), null), null);
    const forged = await log.request({ from: 0, to: 0, signers: [key], root: (await log.head(3)).root });
    assert.equal(status(refuseBranch(sha256, parseAddRequest(forged), null)), 422);
  });
});
