import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noteSigner } from '../../test/doubles/note-signer.ts';
import { faultText } from './faults.ts';
import { readWitnessConfig, type WitnessReading } from './read-witness-config.ts';

const first = noteSigner('acme.example/audit', 1);
const second = noteSigner('acme.example/audit', 2);
const other = noteSigner('other.example/log', 3);

const read = (text: string): WitnessReading =>
  readWitnessConfig(text, '/etc/waybill/witness.yaml', {
    environment: (name) => (name === 'WITNESS_KEY' ? 'PRIVATE+KEY+…' : null),
    file: () => null,
  });

function faults(text: string): string {
  const reading = read(text);
  return reading.ok ? 'no fault' : reading.faults.map(faultText).join('\n');
}

describe('the configuration of a witness', () => {
  test('the least that it needs', () => {
    const reading = read(`name: witness.example\npath: ./data\nlogs: [{ vkeys: ["${first.verifierKey}", "${second.verifierKey}"] }]\n`);
    assert.ok(reading.ok);
    const { config } = reading;
    assert.equal(config.path, '/etc/waybill/data');
    assert.deepEqual(config.key, { from: 'file', path: '/etc/waybill/witness.key' });
    assert.deepEqual(config.listener.listen, { host: '127.0.0.1', port: 8410 });
    assert.equal(config.listener.tls, null);
    assert.deepEqual(config.logs, [{ origin: 'acme.example/audit', keys: [first.key, second.key] }]);
    assert.equal(config.logLevel, 'info');
  });

  test('everything that can be said', () => {
    const reading = read(`name: witness.example
listen: "[::1]:9000"
tls: { cert: ./c.pem, key: /k.pem, client_ca: ./ca.pem }
path: /var/lib/witness
key: \${WITNESS_KEY}
logs:
  - { vkeys: ["${first.verifierKey}"], origin: acme.example/audit/2 }
  - { vkeys: ["${other.verifierKey}"] }
log_level: warn
`);
    assert.ok(reading.ok);
    assert.deepEqual(reading.config.listener.tls, {
      cert: '/etc/waybill/c.pem',
      key: '/k.pem',
      clientCa: '/etc/waybill/ca.pem',
      clientCert: 'require',
    });
    assert.deepEqual(reading.config.key, { from: 'configuration', text: 'PRIVATE+KEY+…' });
    assert.deepEqual(
      reading.config.logs.map(({ origin }) => origin),
      ['acme.example/audit/2', 'other.example/log'],
    );
  });

  test('every mistake has its line, its path and what was meant', () => {
    const head = 'name: witness.example\npath: ./data\n';
    const rows: readonly (readonly [string, RegExp])[] = [
      ['', /witness.yaml:1:1 the file is empty; `waybill init` and `waybill witness init` write a starter file/],
      ['name: [', /witness.yaml:\d+:\d+ /],
      [`${head}log: []\n`, /:3:1 log: unknown key; did you mean logs\?/],
      ['name: witness.example\n', /path: missing/],
      [head.replace('witness.example', 'https://witness.example'), /:1:7 name: expected a URL without a scheme/],
      [`${head}listen: nowhere\n`, /:3:9 listen: expected host:port/],
      [`${head}key: \${NOT_SET}\n`, /:3:6 key: the environment variable NOT_SET is not set/],
      [`${head}key: x\nkey_file: ./k\n`, /:4:11 key_file: there is `key` too/],
      [`${head}key_file: ./data/witness.key\n`, /:3:11 key_file: it is inside `path`/],
      [`${head}logs: [{ vkeys: [] }]\n`, /logs\.0\.vkeys/],
      [`${head}logs:\n  - vkeys: [nonsense]\n`, /:4:13 logs\.0\.vkeys\.0: this is not a verifier key/],
      [
        `${head}logs:\n  - vkeys: ["${first.verifierKey.replace('acme', 'acne')}"]\n`,
        /logs\.0\.vkeys\.0: the id [0-9a-f]{8} of the verifier key/,
      ],
      [
        `${head}logs:\n  - vkeys: ["${first.verifierKey}"]\n  - vkeys: ["${second.verifierKey}"]\n`,
        /:5:5 logs\.1: the log acme.example\/audit is there twice/,
      ],
    ];
    for (const [text, expected] of rows) assert.match(faults(text), expected, text);
  });
});
