import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { manualPorts, settle } from '../../test/doubles/manual-ports.ts';
import type { Config } from '../config/config.ts';
import { faultText } from '../config/faults.ts';
import { readConfig } from '../config/read-config.ts';
import { WaybillError } from '../contracts/errors.ts';
import { adapters } from './load-config.ts';
import { createReloader } from './reloader.ts';

function configOf(more: string, origin = 'acme.example/audit'): Config {
  const text = `ledger: { origin: ${origin}, path: ./data }\nsources: { app: { type: http } }\n${more}`;
  const reading = readConfig(text, '/etc/waybill.yaml', { environment: () => null, file: () => null }, adapters);
  assert.ok(reading.ok, reading.ok ? '' : reading.faults.map(faultText).join('\n'));
  return reading.config;
}

/** A process whose parts tell what is asked of them. `breaks` fails, and `file` is what is read next. */
function world() {
  const story: string[] = [];
  const ports = manualPorts();
  const it = {
    story,
    file: (): Config => configOf('drain: 1s\n'),
    breaks: '',
    config: configOf(''),
    holds: Promise.resolve(),
  };
  const tell = (line: string): void => {
    story.push(line);
    if (line === it.breaks) throw new WaybillError('LISTEN_FAILED', `${line} fails`);
  };
  const reloader = createReloader({
    read: () => it.file(),
    pipeline: {
      get config() {
        return it.config;
      },
      intake: {
        refuseNames(sources) {
          if (sources.some(({ renamedFrom }) => renamedFrom !== null)) throw new WaybillError('RENAME_REFUSED', 'it is called so');
        },
      },
      async change(next, _plan, by) {
        tell(`change by ${by.how}`);
        await it.holds;
        it.config = next;
      },
    },
    api: {
      async prepare() {
        tell('prepare');
        return {
          commit: () => tell('commit'),
          undo: async () => tell('undo'),
        };
      },
    },
    ports: { ...ports, setLogLevel: (level) => tell(`log ${level}`) },
  });
  return Object.assign(it, { reloader });
}

describe('a reload', () => {
  test('does first what can fail, and the rest once nothing can', async () => {
    const { reloader, story } = world();
    const done = await reloader.reload({ how: 'signal' }, false);
    assert.deepEqual(story, ['prepare', 'change by signal', 'commit', 'log info']);
    assert.deepEqual([done.dryRun, done.changed], [false, ['drain']]);
    assert.deepEqual([reloader.last()?.ok, reloader.last()?.error], [true, null]);
  });

  test('closes the new addresses when a part cannot be started', async () => {
    const it = world();
    it.breaks = 'change by signal';
    await assert.rejects(it.reloader.reload({ how: 'signal' }, false), { code: 'LISTEN_FAILED' });
    assert.deepEqual(it.story, ['prepare', 'change by signal', 'undo']);
    assert.equal(it.reloader.last()?.error?.message, 'change by signal fails');
  });

  test('touches no part when an address cannot be opened, nor when the file has mistakes', async () => {
    const it = world();
    it.breaks = 'prepare';
    await assert.rejects(it.reloader.reload({ how: 'signal' }, false), { code: 'LISTEN_FAILED' });
    it.file = () => {
      throw new WaybillError('CONFIG_INVALID', 'line 1\nline 2');
    };
    await assert.rejects(it.reloader.reload({ how: 'signal' }, false), { code: 'CONFIG_INVALID' });
    assert.deepEqual(it.story, ['prepare']);
    assert.deepEqual([it.reloader.last()?.ok, it.reloader.last()?.error?.message], [false, 'line 1\nline 2']);
  });

  test('refuses what cannot change, all of it', async () => {
    const it = world();
    it.file = () => configOf('', 'other.example/audit');
    await assert.rejects(it.reloader.reload({ how: 'signal' }, false), {
      code: 'RELOAD_REFUSED',
      message: /^ledger\.origin cannot change: /,
    });
    assert.deepEqual(it.story, []);
    const renamed = configOf('');
    it.file = () => ({ ...renamed, sources: renamed.sources.map((source) => ({ ...source, renamedFrom: 'other' })) });
    for (const trial of [true, false])
      await assert.rejects(it.reloader.reload({ how: 'signal' }, trial), { code: 'RELOAD_REFUSED', message: 'it is called so' });
    assert.deepEqual(it.story, []);
  });

  test('on trial says what it would do and does nothing, also in the status', async () => {
    const it = world();
    const would = await it.reloader.reload({ how: 'request', name: 'ops' }, true);
    assert.deepEqual([would.dryRun, would.changed], [true, ['drain']]);
    assert.deepEqual([it.story, it.reloader.last()], [[], null]);
  });

  test('of the same file reads certificates and addresses again and leaves the parts alone', async () => {
    const it = world();
    it.file = () => configOf('');
    const done = await it.reloader.reload({ how: 'signal' }, false);
    assert.deepEqual(done.changed, []);
    assert.deepEqual(it.story, ['prepare', 'commit', 'log info']);
  });

  test('waits for the one before, and a stop waits for it and lets no other begin', async () => {
    const it = world();
    const held = Promise.withResolvers<void>();
    it.holds = held.promise;
    const first = it.reloader.reload({ how: 'signal' }, false);
    const second = it.reloader.reload({ how: 'request', name: 'ops' }, false);
    await settle();
    assert.deepEqual(it.story, ['prepare', 'change by signal']);
    let stopped = false;
    const stopping = it.reloader.close().then(() => (stopped = true));
    await settle();
    assert.equal(stopped, false);
    held.resolve();
    await first;
    await assert.rejects(second, { code: 'STOPPING' });
    await stopping;
    assert.deepEqual(it.story, ['prepare', 'change by signal', 'commit', 'log info']);
    await assert.rejects(it.reloader.reload({ how: 'signal' }, false), { code: 'STOPPING' });
  });
});
