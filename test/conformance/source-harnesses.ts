import { appendFile, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FileSourceConfig, file } from '../../src/sources/file.ts';
import { type SourceHarness, sourceConformance } from './source.ts';

/** How each kind of source that is pulled runs the suite: a new kind is one row here. */
export const sourceHarnesses: Readonly<Record<string, () => void>> = {
  file: () => {
    sourceConformance(file, fileHarness('files that grow', false));
    sourceConformance(file, fileHarness('files that are set apart each time', true));
  },
};

function fileHarness(name: string, rotates: boolean): SourceHarness<FileSourceConfig> {
  return {
    name,
    async start(ports) {
      const directory = await mkdtemp(join(tmpdir(), 'waybill-file-conformance-'));
      const config = file.config.safeParse({ paths: [`${directory}/*.ndjson*`], poll: '20ms' });
      if (!config.success) throw new Error(`the harness is configured wrongly: ${JSON.stringify(config.error.issues)}`);
      let apart = 0;
      return {
        config: config.data,
        ports,
        async happen(log, events) {
          const path = join(directory, `${log}.ndjson`);
          await appendFile(path, events.map((event) => `${event}\n`).join(''));
          if (rotates) await rename(path, `${path}.${++apart}`);
        },
        async state() {
          const names = await readdir(directory);
          return Promise.all(names.toSorted().map(async (path) => [path, await readFile(join(directory, path), 'utf8')]));
        },
        stop: () => rm(directory, { recursive: true }),
      };
    },
    skip: [],
  };
}
