import { dirname } from 'node:path';
import { z } from 'zod';
import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import type { Disk } from '../contracts/ports.ts';
import { sizeText } from '../contracts/quantities.ts';
import type { SinkDefinition, SinkTraits } from '../contracts/sink.ts';
import { size } from './config-values.ts';
import { lockPath, markPath, markText } from './file-names.ts';
import { FileSink } from './file-sink.ts';

/** A flush has its price, so a batch is worth waiting for a little. */
const TRAITS: SinkTraits = {
  ack: 'durable',
  dedupe: 'position',
  batch: { entries: 10_000, bytes: 4 << 20, waitMs: 50 },
  inFlightMax: 1,
  carriesEmpty: true,
  checkpoints: { inBatch: false, everyMs: 1_000 },
};

const config = z.strictObject({
  path: z
    .string()
    .min(1)
    .meta({ path: true, examples: ['./out/audit.ndjson'] })
    .describe('The file that entries are appended to, relative to the configuration file. Its directory is created.'),
  rotate: size(4_096, 2 ** 50)
    .optional()
    .describe(
      'The size at which the file is set apart as PATH.INDEX, after the index of its first entry. Without it the file grows for ever.',
    ),
});

/** The settings of a `file` destination. */
export type FileConfig = z.output<typeof config>;

/** Appends entries to a file as lines of JSON; a batch is acknowledged once it would survive a power cut. */
export const file: SinkDefinition<FileConfig> = {
  type: 'file',
  title: 'File',
  summary: 'Appends entries to a file, as lines of JSON, each batch flushed to the disk, with the newest checkpoint in a file beside it.',
  config,
  traits: () => TRAITS,
  target: ({ path }) => path,
  async claim({ path }, context) {
    const { disk } = context.ports;
    const mark = await disk.open(markPath(path), 'create');
    try {
      await mark.truncate(0);
      await mark.commit(Buffer.from(markText(context)), 0);
    } finally {
      await mark.close();
    }
    await disk.syncDirectory(dirname(path));
  },
  async open({ path, rotate }, context) {
    const { disk } = context.ports;
    await disk.makeDirectory(dirname(path));
    const lock = await lockFile(disk, path);
    // Where it stands is looked for when it is asked: what is wrong there can be corrected while the destination stays open.
    return new FileSink({ path, rotateBytes: rotate ?? null, traits: TRAITS, context, lock });
  },
  async probe({ path }, { ports: { disk } }) {
    const length = await disk.length(path);
    if (length === null) return [`${path} is not there yet; \`waybill run\` creates it`];
    // Opening needs the right to write, and changes nothing.
    await (await disk.open(path, 'existing')).close();
    return [`${path} has ${sizeText(length)} and can be written; \`waybill run\` compares it with its cursor when it starts`];
  },
};

async function lockFile(disk: Disk, path: string): Promise<{ release(): Promise<void> }> {
  try {
    return await disk.lock(lockPath(path));
  } catch (error) {
    if (!isWaybillError(error) || error.code !== 'LEDGER_LOCKED') throw error;
    throw new WaybillError('DESTINATION_LOCKED', `${path} is written by another process or destination`, { cause: error, facts: { path } });
  }
}
