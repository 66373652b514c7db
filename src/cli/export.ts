import type { Command } from 'commander';
import { z } from 'zod';
import type { Config } from '../config/config.ts';
import { WaybillError } from '../contracts/errors.ts';
import { asIndex, asSize } from '../contracts/units.ts';
import { type Exported, writeExport } from '../export/export.ts';
import type { ExportSource, LogFacts } from '../export/source.ts';
import { openPorts } from '../runtime/ports.ts';
import { tilePath } from '../tlog/tile.ts';
import { type ApiClient, openClient } from './client.ts';
import { EXIT } from './exit.ts';
import { loadConfig } from './load-config.ts';
import { absolutePath } from './machine.ts';
import { type CommonOptions, withCommonOptions } from './options.ts';
import { countText, type Terminal } from './terminal.ts';

/** `waybill export`: the published log as a directory that anybody can check. */
export function addExport(program: Command, terminal: Terminal, done: (code: number) => void): void {
  withCommonOptions(
    program.command('export').description('write the published log into a directory that anybody can check without us').argument('<dir>'),
    ['waybill export ./export', 'waybill export /mnt/audit/export --json'],
  ).action(async (directory: string, options: CommonOptions) => {
    const config = loadConfig(options.config);
    const exported = await exportLog(config, absolutePath(directory), (entries, of) =>
      terminal.err(`${countText(entries)} of ${countText(of)} entries`),
    );
    if (options.json) terminal.out(JSON.stringify({ directory: absolutePath(directory), ...exported }));
    else for (const line of exportedLines(exported, directory)) terminal.out(line);
    done(EXIT.ok);
  });
}

async function exportLog(config: Config, directory: string, onProgress: (entries: number, of: number) => void): Promise<Exported> {
  const source = sourceOf(openClient(config, undefined, 'tlog'));
  const ports = await openPorts({ logLevel: 'warn' });
  // Thousands of small files: a disk that flushes several at once is what counts.
  const patient = ports.withPatientDisk();
  try {
    return await writeExport({ directory, source, onProgress }, patient);
  } finally {
    await patient.closeOwn();
    await ports.close();
  }
}

const logFacts = z.object({
  origin: z.string(),
  beginning: z.int().min(0),
  keys: z.array(z.object({ vkey: z.string(), from: z.int().min(0), through: z.int().min(0).nullable() })).min(1),
  policy: z.string(),
  checkpoints: z.array(z.string()),
});

/** The log of the running process, as every client of it sees it. */
function sourceOf(client: ApiClient): ExportSource {
  return {
    async facts(): Promise<LogFacts> {
      const facts = logFacts.safeParse(await client.get('/tlog/log.json'));
      if (!facts.success) throw new WaybillError('API_UNEXPECTED', '/tlog/log.json has not the form that this version knows');
      const { beginning, keys, ...rest } = facts.data;
      const ranges = keys.map(({ vkey, from, through }) => ({
        verifierKey: vkey,
        from: asSize(from),
        through: through === null ? null : asSize(through),
      }));
      return { ...rest, beginning: asIndex(beginning), keys: ranges };
    },
    checkpoint: () => client.bytes('/tlog/checkpoint'),
    tile: (tile) => client.bytes(`/tlog/${tilePath(tile)}`),
  };
}

function exportedLines({ origin, size, root, added, begin }: Exported, directory: string): string[] {
  return [
    `exported ${countText(size)} entries of ${origin}, ${countText(added)} of them new; their signed root is ${root}`,
    ...(begin === 0 ? [] : [`entries below ${countText(begin)} are there as hashes only: retention had removed them`]),
    '',
    'Next:',
    `  waybill verify export ${directory} --key VKEY   with the key that the owner of the log gives on another way`,
    `  less ${directory}/VERIFY.txt                    the same with tools that are not ours`,
  ];
}
