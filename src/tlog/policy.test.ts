import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkEd25519, noteSigner, sha256 } from '../../test/doubles/note-signer.ts';
import { formatCheckpoint, parseCheckpoint } from './checkpoint.ts';
import { TlogError } from './error.ts';
import { emptyRoot } from './hash.ts';
import { formatNote, openNote, parseNote } from './note.ts';
import { checkPolicy, formatPolicy, parsePolicy, policyKeys, quorumMet } from './policy.ts';

const log = noteSigner('example.com/log', 1);
const witnesses = Array.from({ length: 6 }, (_, k) => noteSigner(`witness.example/w${k}`, 10 + k, 4));
const [x1, x2, x3, y1, y2, y3] = witnesses;
assert.ok(x1 && x2 && x3 && y1 && y2 && y3);

/** The example of C2SP tlog-policy: two of three, and one of three. */
const EXAMPLE = `
# Two levels of groups.
log ${log.verifierKey}

witness X1 ${x1.verifierKey} https://x1.example/
witness X2 ${x2.verifierKey}
\twitness   X3\t${x3.verifierKey}  
group X-witnesses 2 X1 X2 X3

  # comment
witness Y1 ${y1.verifierKey}
witness Y2 ${y2.verifierKey}
witness Y3 ${y3.verifierKey}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
`;

describe('policies', () => {
  test('the example of C2SP tlog-policy', () => {
    const policy = parsePolicy(sha256, EXAMPLE);
    assert.deepEqual(policy.logs, [{ key: log.key, url: null }]);
    assert.deepEqual(
      policy.witnesses.map(({ name, url }) => [name, url]),
      [
        ['X1', 'https://x1.example/'],
        ['X2', null],
        ['X3', null],
        ['Y1', null],
        ['Y2', null],
        ['Y3', null],
      ],
    );
    assert.deepEqual(policy.groups.at(-1), { name: 'X-and-Y', threshold: 2, members: ['X-witnesses', 'Y-witnesses'] });
    assert.equal(policyKeys(policy).length, 7);
    const met = (...keys: (typeof log)[]): boolean =>
      quorumMet(
        policy,
        keys.map(({ key }) => key),
      );
    assert.ok(met(x1, x2, y1));
    assert.ok(met(y3, x3, x2, x1));
    for (const few of [[], [x1, x2], [x1, y1], [x1, x1, y1], [y1, y2, y3], [log, x1, y1]]) assert.ok(!met(...few));
  });

  test('what is written means the same when it is read, and what could not is refused', () => {
    const policy = parsePolicy(sha256, EXAMPLE);
    assert.deepEqual(parsePolicy(sha256, formatPolicy(policy)), policy);
    const none = parsePolicy(sha256, `log ${log.verifierKey}\nquorum none\n`);
    assert.equal(formatPolicy(none), `log ${log.verifierKey}\nquorum none\n`);
    const named = (name: string) => ({ ...policy, witnesses: [{ name, key: x1.key, url: null }], groups: [], quorum: null });
    for (const name of ['none', '', 'a b', 'a\nb']) assert.throws(() => formatPolicy(named(name)), RangeError, JSON.stringify(name));
    const groups = [{ name: 'X1', threshold: 1, members: ['Y1'] }];
    assert.throws(() => formatPolicy({ ...policy, groups }), RangeError, 'a group that is called like a witness');
    const twice = ['a', 'b'].map((name) => ({ name, threshold: 1, members: ['Y1'] }));
    assert.throws(() => formatPolicy({ ...policy, groups: twice }), RangeError, 'a member of two groups');
  });

  test('quorums of one, of none, and of nobody that is known', () => {
    assert.ok(quorumMet(parsePolicy(sha256, 'quorum none\n'), []));
    const one = parsePolicy(sha256, `witness w ${x1.verifierKey}\nquorum w\n`);
    assert.ok(quorumMet(one, [x1.key]));
    assert.ok(!quorumMet(one, [x2.key]));
    // The same public key under another name is not the key that the policy names.
    assert.ok(!quorumMet(one, [noteSigner('other.example', 10, 4).key]));
    assert.ok(!quorumMet(one, [noteSigner('witness.example/w0', 10, 1).key]));
  });

  test('a checkpoint is accepted with a log of the policy and its quorum', () => {
    const policy = parsePolicy(sha256, EXAMPLE);
    const judge = (origin: string, signers: readonly (typeof log)[]): void => {
      const text = formatCheckpoint({ origin, size: 0, root: emptyRoot(sha256) });
      const lines = signers.map((signer) => signer.sign(text));
      const note = parseNote(Buffer.from(formatNote(text, lines)));
      checkPolicy(policy, parseCheckpoint(note.text), openNote(note, policyKeys(policy), checkEd25519));
    };
    judge('example.com/log', [log, x1, x3, y2]);
    assert.throws(() => judge('example.com/other', [log, x1, x3, y2]), /no log of the policy with the name example.com\/other/);
    assert.throws(() => judge('example.com/log', [x1, x3, y2]), /no log of the policy/);
    assert.throws(() => judge('example.com/log', [log, x1, y2]), /asks for X-and-Y, and under the checkpoint is X1, Y2/);
    assert.throws(() => judge('example.com/log', [log]), /is no witness/);
  });

  test('anything else is refused, with its line', () => {
    const w = `witness w ${x1.verifierKey}\n`;
    const rows: readonly (readonly [string, RegExp])[] = [
      ['', /last line|no line "quorum"/],
      ['quorum none', /does not end with a line feed/],
      ['# nothing\n', /no line "quorum"/],
      ['quorum none\nquorum none\n', /line 2 of the policy: the quorum is there twice/],
      ['quorum\n', /line 1 .*quorum name/],
      ['quorum w\n', /line 1 .*w is not the name/],
      [`quorum w\n${w}`, /line 1 .*w is not the name/],
      [`${w}quorum w w\n`, /form "quorum name"/],
      [`Log ${log.verifierKey}\nquorum none\n`, /neither with log/],
      [`log ${log.verifierKey} a b\nquorum none\n`, /form "log vkey/],
      [`log ${log.verifierKey.slice(1)}\nquorum none\n`, /line 1 .*the id/],
      [`log ${log.verifierKey}\nlog ${noteSigner('another.name', 1).verifierKey}\nquorum none\n`, /line 2 .*there twice/],
      [`${w}witness v ${noteSigner('another.name', 10, 4).verifierKey}\nquorum none\n`, /line 2 .*there twice/],
      [`${w}witness w ${x2.verifierKey}\nquorum none\n`, /line 2 .*the name w is there twice/],
      [`witness none ${x1.verifierKey}\nquorum none\n`, /a meaning of its own/],
      [`witness w ${log.verifierKey}\nquorum w\n`, /has the type 1: a cosignature has 4/],
      [`${w}group g any\nquorum g\n`, /form "group/],
      [`${w}group g 0 w\nquorum g\n`, /from 1 to the 1 members/],
      [`${w}group g 2 w\nquorum g\n`, /from 1 to the 1 members/],
      [`${w}group g 01 w\nquorum g\n`, /is not all, any or a number/],
      [`${w}group g some w\nquorum g\n`, /is not all, any or a number/],
      [`${w}group g any none\nquorum g\n`, /none is not the name/],
      [`${w}group g any w w\nquorum g\n`, /a member twice/],
      [`${w}group g any w\ngroup h any w\nquorum g\n`, /a member twice/],
      [`${w}group g any g\nquorum g\n`, /g is not the name/],
      [`${w}group w any w\nquorum w\n`, /the name w is there twice/],
      ['quorum none\r\n', /control character/],
      ['quorum\u000bnone\n', /control character/],
      ['quorum none\u007f\n', /control character/],
    ];
    for (const [text, why] of rows) {
      assert.throws(
        () => parsePolicy(sha256, text),
        (error: unknown) => error instanceof TlogError && why.test(error.reason),
        `${String(why)} for ${JSON.stringify(text)}`,
      );
    }
  });

  test('thirty-two of each and more are read; there is a limit', () => {
    const lines = (count: number): string =>
      Array.from({ length: count }, (_, k) => `witness w${k} ${noteSigner(`w.example/${k}`, 0, 4).verifierKey}\n`).join('');
    assert.throws(() => parsePolicy(sha256, `${lines(2)}quorum none\n`), /there twice/);
    const logs = Array.from({ length: 256 }, (_, k) => `log ${noteSigner('example.com/log', k).verifierKey}\n`);
    assert.equal(parsePolicy(sha256, `${logs.join('')}quorum none\n`).logs.length, 256);
    assert.throws(() => parsePolicy(sha256, `# ${'x'.repeat(1_000_000)}\nquorum none\n`), /at most 1000000/);
  });
});
