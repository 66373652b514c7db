import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SourceConfig } from '../config/config.ts';
import type { PartChanges } from '../config/plan-reload.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { NamedSource } from '../intake/names.ts';
import { type ChangeableConfig, changeParts } from './change.ts';
import { PartSet } from './part-set.ts';
import { openWatchdog } from './watchdog.ts';

interface Part {
  readonly name: string;
  readonly timeoutMs: number;
  /** What of it is another configuration. */
  readonly version: number;
}

const NOTHING: PartChanges = { kept: [], changed: [], restarted: [], started: [], stopped: [] };

function part(name: string, version: number, timeoutMs = 1_000): Part {
  return { name, version, timeoutMs };
}

function config(version: number, pulled: readonly Part[], destinations: readonly Part[]): ChangeableConfig<Part, Part> {
  const renamedFrom = version === 1 ? null : 'old';
  const source = { name: 'app', onInvalid: version === 1 ? 'refuse' : 'keep', renamedFrom } as SourceConfig;
  return { ledger: { limitBytes: version * 1_000 }, sources: [source], pulled, destinations, drainMs: 5_000 };
}

const OLD = config(1, [part('table', 1)], [part('kept', 1), part('moved', 1, 700), part('slow', 1, 60_000), part('gone', 1)]);
const NEXT = config(2, [part('table', 2)], [part('kept', 1), part('moved', 2), part('slow', 2), part('fresh', 2)]);
const PLAN = {
  sources: { ...NOTHING, restarted: ['table'] },
  destinations: { ...NOTHING, kept: ['kept'], restarted: ['moved', 'slow'], started: ['fresh'], stopped: ['gone'] },
};

/** A pipeline of parts that tell what happens to them. `breaks` names what fails, such as `open fresh 2`. */
async function openWorld(breaks: ReadonlySet<string> = new Set()) {
  const story: string[] = [];
  let telling = false;
  const tell = (line: string): void => {
    if (telling) story.push(line);
    if (telling && breaks.has(line)) throw new WaybillError('JOURNAL_INVALID', `${line} fails`);
  };
  const kind = {
    open: async ({ name, version }: Part) => {
      tell(`open ${name} ${version}`);
      return { name, version };
    },
    close: async ({ name, version }: { readonly name: string; readonly version: number }, drainMs: number) =>
      tell(`close ${name} ${version} in ${drainMs}`),
    failed: () => new Promise<unknown>(() => {}),
  };
  const parts = {
    sources: new PartSet<Part, { readonly name: string; readonly version: number }>(kind, openWatchdog()),
    destinations: new PartSet<Part, { readonly name: string; readonly version: number }>(kind, openWatchdog()),
    intake: {
      changeSources: (sources: ReadonlyMap<string, { readonly onInvalid: string }>) => tell(`rules ${sources.get('app')?.onInvalid}`),
      rename: async (from: string, to: string) => {
        tell(`rename ${from} to ${to}`);
        return true;
      },
      refuseNames: ([source]: readonly NamedSource[]) => tell(`refuse ${source?.name}?`),
    },
    ledger: { changeLimit: (limit: number | null) => tell(`limit ${limit}`) },
  };
  for (const source of OLD.pulled) await parts.sources.start(source);
  for (const destination of OLD.destinations) await parts.destinations.start(destination);
  telling = true;
  const open = () =>
    [...parts.sources.parts.values(), ...parts.destinations.parts.values()].map(({ name, version }) => `${name} ${version}`).sort();
  return { story, open, change: () => changeParts(parts, PLAN, OLD, NEXT) };
}

describe('a change of the parts', () => {
  test('touches what the plan names and nothing else, and gives nobody more time than it can need', async () => {
    const { story, open, change } = await openWorld();
    await change();
    assert.deepEqual(open(), ['fresh 2', 'kept 1', 'moved 2', 'slow 2', 'table 2']);
    assert.deepEqual(story, [
      'close table 1 in 5000',
      'refuse app?',
      'rename old to app',
      'rules keep',
      'limit 2000',
      'close moved 1 in 700',
      'close slow 1 in 5000',
      'close gone 1 in 1000',
      'open moved 2',
      'open slow 2',
      'open fresh 2',
      'open table 2',
    ]);
  });

  const breaks = ['open table 2', 'open fresh 2', 'open slow 2', 'open moved 2', 'close gone 1 in 1000', 'close table 1 in 5000'];
  for (const broken of [...breaks, 'refuse app?', 'rename old to app']) {
    test(`is taken back whole when "${broken}" fails`, async () => {
      const { story, open, change } = await openWorld(new Set([broken]));
      await assert.rejects(change(), { code: 'RELOAD_FAILED', message: `JOURNAL_INVALID: ${broken} fails` });
      assert.deepEqual(open(), ['gone 1', 'kept 1', 'moved 1', 'slow 1', 'table 1']);
      const settings = story.filter((line) => line.startsWith('rules') || line.startsWith('limit'));
      if (settings.length > 0) assert.deepEqual(settings.slice(-2), ['limit 1000', 'rules refuse']);
      // The old name is there again before anything is read under it.
      const names = story.filter((line) => line.startsWith('rename') || line === 'open table 1');
      const back = names.includes('rename old to app') && broken !== 'rename old to app' ? ['rename app to old'] : [];
      assert.deepEqual(names.slice(-1 - back.length), [...back, 'open table 1']);
      assert.equal(story.filter((line) => line.includes('kept')).length, 0);
    });
  }

  test('that cannot be taken back says so by another error: nobody may go on with half of it', async () => {
    const { change } = await openWorld(new Set(['open fresh 2', 'open moved 1']));
    await assert.rejects(change(), { code: 'JOURNAL_INVALID', message: 'open moved 1 fails' });
  });
});
