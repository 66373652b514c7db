import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { file as fileSink } from '../sinks/file.ts';
import { file } from '../sources/file.ts';
import { sourceHop } from './guarantee.ts';
import type { Adapters } from './json-schema.ts';
import { readConfig } from './read-config.ts';

const adapters: Adapters = { sinks: { file: fileSink }, sources: { file }, codecs: { native: {} } };

function faultsOf(source: string, more = ''): string[] {
  const text = `ledger: { origin: acme.example/audit, path: ./data }
sources: { logs: ${source}${more} }
destinations: { archive: { type: file, path: ./out/audit.ndjson, start: beginning } }
`;
  const reading = readConfig(text, '/etc/waybill/waybill.yaml', { environment: () => undefined, file: () => '' } as never, adapters);
  return reading.ok ? [] : reading.faults.map(({ path, message }) => `${path}: ${message}`);
}

describe('sources that are pulled', () => {
  for (const [source, expected] of [
    ['{ type: file, paths: [./logs/*.ndjson] }', null],
    ['{ type: file, paths: [./logs/*.log], format: lines, schema: json }', null],
    ['{ type: file, paths: [./logs/*.log], format: lines }', /logs\.schema: .*never fits schema waybill\/1; set it to json/],
    ['{ type: file, paths: [./logs/**/a.log] }', /paths.*\*\* is not known/],
    ['{ type: file, paths: ["./logs/[ab].log"] }', /paths.*only \* and \? stand for/],
    ['{ type: file, paths: [] }', /paths/],
    ['{ type: file, paths: [./data/seg*] }', /\/etc\/waybill\/data\/seg\* is inside ledger\.path/],
    ['{ type: file, paths: [./out/*] }', /logs: reads \/etc\/waybill\/out\/audit\.ndjson, which the destination archive writes/],
    ['{ type: file, paths: [./logs/*], rate: 5 }', /logs\.rate: .*senders that are answered/],
    ['{ type: file, paths: [./logs/*], poll: 1ms }', /too small/],
  ] as const) {
    test(source, () => {
      const faults = faultsOf(source);
      if (expected === null) assert.deepEqual(faults, []);
      else {
        assert.equal(faults.length, 1, faults.join());
        assert.match(faults[0] ?? '', expected);
      }
    });
  }

  test('have one name at a time, and each gives its place to one other', () => {
    const named = (name: string, from: string) => `, ${name}: { type: file, paths: [./${name}/*], renamed_from: ${from} }`;
    const plain = '{ type: file, paths: [./logs/*] }';
    assert.deepEqual(faultsOf(plain, named('desk', 'table') + named('chair', 'stool')), []);
    assert.match(faultsOf(plain, named('desk', 'logs')).join(), /desk\.renamed_from: logs is in the configuration too/);
    assert.match(faultsOf(plain, named('desk', 'desk')).join(), /desk\.renamed_from: desk is in the configuration too/);
    assert.match(faultsOf(plain, named('desk', 'table') + named('chair', 'table')).join(), /desk takes over the place of table already/);
    assert.match(faultsOf(plain, named('desk', 'waybill')).join(), /waybill is reserved/);
    assert.match(faultsOf(plain, named('desk', 'No')).join(), /expected a name/);
  });

  test('are exact without an identity, and say where they are not', () => {
    const traits = { delivery: 'resumable', recountable: false } as const;
    assert.equal(sourceHop({ schema: 'json', idField: null }, traits).strength, 3);
    const weaker = sourceHop({ schema: 'json', idField: null }, traits, ['lost when cut', 'split when late']);
    assert.equal(weaker.strength, 2);
    assert.match(weaker.words, /But: lost when cut; split when late$/);
  });
});
