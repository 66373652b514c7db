import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { openTestApi } from '../../test/doubles/open-test-api.ts';
import { parseExposition } from '../../test/doubles/prometheus-text.ts';
import { asIndex } from '../contracts/units.ts';
import { createObservers } from '../runtime/observers.ts';
import { METRICS, READ } from './metrics-table.ts';

const ATTEMPT = { destination: 'archive', from: asIndex(0), through: asIndex(2), count: 3, bytes: 90, attempt: 1, beganAt: 0, ms: 40 };

describe('metrics', () => {
  test('are well-formed, and those of the table and no others', async (t) => {
    const observers = createObservers();
    const { post, send, close } = await openTestApi({}, { observers });
    t.after(close);
    await post('[{"id":"a"},{"id":"b"}]');
    observers.attempted({ ...ATTEMPT, replay: false, code: null, ageMs: 70 });
    const families = parseExposition((await send('/metrics')).text);
    assert.deepEqual([...families.keys()].toSorted(), METRICS.map(({ name }) => name).toSorted());
    for (const { name, kind, help, labelNames } of METRICS) {
      const family = families.get(name);
      assert.deepEqual([family?.type, family?.help], [kind, help]);
      for (const { labels } of family?.samples ?? [])
        assert.deepEqual(
          Object.keys(labels)
            .filter((label) => label !== 'le')
            .toSorted(),
          labelNames.toSorted(),
          name,
        );
    }
  });

  test('count batches by what became of them, and replays not as latency', async (t) => {
    const observers = createObservers();
    const { post, send, close } = await openTestApi({}, { observers });
    t.after(close);
    observers.attempted({ ...ATTEMPT, replay: false, code: 'SINK_UNREACHABLE', ageMs: 10 });
    observers.attempted({ ...ATTEMPT, replay: false, code: null, ageMs: 70 });
    observers.attempted({ ...ATTEMPT, replay: true, code: null, ageMs: 86_400_000 });
    observers.halted({ destination: 'archive', code: 'SINK_UNAUTHORIZED' });
    observers.published({ size: 1, ms: 120 });
    await post('{"id":"a"}');
    const lines = (await send('/metrics')).text.split('\n');
    for (const line of [
      'waybill_delivery_seconds_count{destination="archive"} 1',
      'waybill_delivery_seconds_bucket{le="0.05",destination="archive"} 0',
      'waybill_delivery_seconds_bucket{le="0.1",destination="archive"} 1',
      'waybill_attempt_seconds_count{destination="archive"} 3',
      'waybill_destination_failures_total{destination="archive",code="SINK_UNREACHABLE"} 1',
      'waybill_destination_halts_total{destination="archive",code="SINK_UNAUTHORIZED"} 1',
      'waybill_source_accept_seconds_count{source="app"} 1',
      'waybill_head_publish_seconds_bucket{le="0.1"} 0',
      'waybill_head_publish_seconds_bucket{le="0.15"} 1',
    ]) {
      assert.ok(lines.includes(line), `${line} in\n${lines.join('\n')}`);
    }
  });

  test('the age of the lag is that of the entry that is needed next; what is not known is absent', async (t) => {
    const view = { state: 'running', lag: 1, error: null };
    const status = () => ({
      ledger: { origin: 'o', size: 2, durable: 2 },
      sources: {},
      destinations: { behind: { ...view, cursor: 1 }, done: { ...view, cursor: 2, lag: 0 }, pruned: { ...view, cursor: 0 } },
    });
    const { post, send, ports, ledger, close } = await openTestApi({}, { status });
    t.after(close);
    await post('{"id":"a"}');
    await post('{"id":"b"}');
    ledger.prune(1);
    ports.clock.wall += 90_000;
    const lines = (await send('/metrics')).text.split('\n').filter((line) => /^waybill_(?:destination_lag_seconds|ledger_days)/.test(line));
    assert.deepEqual(lines, [
      'waybill_destination_lag_seconds{destination="behind"} 90',
      'waybill_destination_lag_seconds{destination="done"} 0',
    ]);
  });

  test('say how pulled sources are, who holds retention, and when certificates end', async (t) => {
    const counts = { entries: 0, accepted: 0, duplicates: 0, rejected: 0, conflicts: 0 };
    const status = () => ({
      ledger: { origin: 'o', size: 2, durable: 2, retention: { held_by: { kind: 'destination', name: 'lake' } } },
      sources: {
        app: { ...counts, type: 'http' },
        logs: { ...counts, pulled: { state: 'halted', lagBytes: 70 } },
        table: { ...counts, pulled: { state: 'running', lagBytes: null } },
      },
      destinations: {},
    });
    const { send, close } = await openTestApi({}, { status });
    t.after(close);
    const pattern = /^waybill_(?:source_state|source_lag_bytes|retention_held|certificate)/;
    const lines = (await send('/metrics')).text.split('\n').filter((line) => pattern.test(line) && !line.endsWith(' 0'));
    assert.deepEqual(lines, [
      'waybill_retention_held{kind="destination",name="lake"} 1',
      'waybill_source_state{source="logs",state="halted"} 1',
      'waybill_source_state{source="table",state="running"} 1',
      'waybill_source_lag_bytes{source="logs"} 70',
    ]);
    const ends = READ.find(({ name }) => name === 'waybill_certificate_end_seconds');
    const listeners = [
      { address: '127.0.0.1:1', serve: [], tls: null },
      { address: '127.0.0.1:2', serve: [], tls: { expiresAt: '2027-01-01T00:00:00.000Z' } },
    ];
    const facts = { status: { ...status(), api: { listeners } }, lagSeconds: new Map(), headAgeSeconds: null, streams: 0 };
    assert.deepEqual([...(ends?.values(facts) ?? [])], [[{ address: '127.0.0.1:2' }, Date.UTC(2027, 0, 1) / 1_000]]);
  });

  test('the alert rules ask for metrics and labels that exist', () => {
    const text = readFileSync(join(import.meta.dirname, '../../packaging/prometheus-alerts.yaml'), 'utf8');
    const { groups } = parse(text) as {
      groups: { name: string; rules: { alert: string; expr: string; annotations: { summary: string } }[] }[];
    };
    const rules = groups.flatMap((group) => group.rules);
    assert.ok(rules.length >= 8);
    assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length);
    const names = new Set(METRICS.flatMap(({ name, kind }) => (kind === 'histogram' ? [`${name}_bucket`, `${name}_count`] : [name])));
    for (const { alert, expr, annotations } of rules) {
      assert.notEqual(annotations.summary, '');
      for (const [name] of expr.matchAll(/\bwaybill_\w+/g)) assert.ok(names.has(name), `${alert} asks for ${name}`);
      const [, used = ''] = /by \(([^)]*)\)/.exec(expr) ?? [];
      const labels = new Set([...METRICS.flatMap(({ labelNames }) => labelNames), 'le', '']);
      for (const label of used.split(/, ?/)) assert.ok(labels.has(label), `${alert} asks for the label ${label}`);
    }
  });
});
