import assert from 'node:assert/strict';
import { readWitnessConfig } from '../../src/config/read-witness-config.ts';
import { TlogError } from '../../src/tlog/error.ts';
import { encodeHash } from '../../src/tlog/hash.ts';
import { formatNote } from '../../src/tlog/note.ts';
import { parseAddRequest } from '../../src/witness/add-request.ts';
import { refuseBranch, refuseForeign } from '../../src/witness/judge.ts';
import { decodeState, encodeState } from '../../src/witness/state-file.ts';
import { checkEd25519, noteSigner, sha256 } from '../doubles/note-signer.ts';
import { TestLog } from '../doubles/test-log.ts';
import type { FuzzTarget } from './target.ts';
import { damagedBytes, mangled } from './text.ts';

const ORIGIN = 'example.com/log';
const key = noteSigner(ORIGIN, 1);
const log = new TestLog(ORIGIN, 40);
const HEADS = await Promise.all([0, 5, 17, 40].map((size) => log.head(size)));
const BODIES = await Promise.all(
  [
    [0, 5],
    [5, 17],
    [17, 40],
    [5, 5],
  ].map(async ([from = 0, to = 0]) => (await log.request({ from, to, signers: [key] })).toString()),
);

const requests: FuzzTarget = {
  name: 'requests to a witness',
  cost: 8,
  one(dice) {
    const body = dice.once(3) ? damagedBytes(dice, Buffer.from(dice.pick(BODIES))) : Buffer.from(mangled(dice, BODIES));
    let request: ReturnType<typeof parseAddRequest>;
    try {
      request = parseAddRequest(body);
    } catch (error) {
      assert.ok(error instanceof TlogError && error.reason.length < 2_000, String(error));
      return false;
    }
    const { old, proof, note } = request;
    // There is one way to write a request.
    const hashes = proof.map((hash) => `${encodeHash(hash)}\n`).join('');
    assert.equal(body.toString(), `old ${old}\n${hashes}\n${formatNote(note.text, note.signatures)}`);
    const newest = dice.pick(HEADS);
    if (refuseForeign(request, { origin: ORIGIN, keys: [key.key] }, checkEd25519) !== null) return true;
    if (refuseBranch(sha256, request, newest) !== null) return true;
    // What would be signed is a head that the log really signed, and one that continues the newest.
    const head = HEADS.find(({ size }) => size === request.checkpoint.size);
    assert.ok(head !== undefined && head.root === request.checkpoint.root && head.size >= newest.size);
    return true;
  },
};

const STATE = encodeState('witness.example', new Map([[ORIGIN, { checkpoint: await log.head(5), note: await log.checkpoint(5, [key]) }]]));

const states: FuzzTarget = {
  name: 'state of a witness',
  cost: 2,
  one(dice) {
    const text = mangled(dice, [STATE, encodeState('w', new Map())]);
    const state = decodeState(text);
    if (state === null) return false;
    assert.equal(encodeState(state.name, state.heads), text);
    return true;
  },
};

const CONFIG = `name: witness.example
listen: 127.0.0.1:8410
tls: { cert: ./c.pem, key: ./k.pem }
path: ./data
key_file: ./witness.key
logs:
  - vkeys: ["${key.verifierKey}"]
    origin: example.com/log
log_level: warn
`;

const configs: FuzzTarget = {
  name: 'witness.yaml',
  cost: 60,
  one(dice) {
    const text = mangled(dice, [CONFIG, CONFIG.replace('key_file: ./witness.key', 'key: ${KEY}')]);
    const reading = readWitnessConfig(text, '/etc/witness.yaml', { environment: () => 'secret-secret', file: () => 'secret-secret' });
    if (!reading.ok) {
      assert.ok(reading.faults.length > 0 && reading.faults.every(({ line, column }) => line >= 1 && column >= 1));
      assert.ok(!JSON.stringify(reading.faults).includes('secret-secret'), 'a fault shows a secret');
      return false;
    }
    const { config } = reading;
    assert.ok(config.path.startsWith('/') && config.logs.every(({ origin, keys }) => origin !== '' && keys.length > 0));
    assert.equal(new Set(config.logs.map(({ origin }) => origin)).size, config.logs.length);
    return true;
  },
};

/** What a witness reads: from logs, from its own file, and from its operator. */
export const WITNESS_TARGETS: readonly FuzzTarget[] = [requests, states, configs];
