import { type Command, InvalidArgumentError } from 'commander';
import { isWaybillError, WaybillError } from '../contracts/errors.ts';
import { type ApiClient, openClient } from './client.ts';
import { EXIT } from './exit.ts';
import { loadConfig } from './load-config.ts';
import { absolutePath, replaceFile } from './machine.ts';
import { type CommonOptions, withCommonOptions } from './options.ts';
import type { Terminal } from './terminal.ts';

/** How long the running process may take: it waits for a checkpoint that covers the entry. */
const ANSWER_MS = 20_000;

interface ProveOptions extends CommonOptions {
  readonly out: string;
}

/** `waybill prove INDEX`: the proof of one entry and its bytes, as files that anybody can check offline. */
export function addProve(program: Command, terminal: Terminal, done: (code: number) => void): void {
  withCommonOptions(
    program
      .command('prove')
      .description(
        'write the proof that an entry is in the log, and its bytes beside it: whoever has the verifier key can check them offline',
      ),
    ['waybill prove 18231', 'waybill prove 18231 --out ./evidence'],
  )
    .argument('<index>', 'the entry', indexOf)
    .option('--out <directory>', 'where the two files go', '.')
    .action(async (index: number, { config, json, out }: ProveOptions) => {
      const client = openClient(loadConfig(config));
      const proof = await client.text(`/v1/entries/${index}/proof?wait=true`, undefined, ANSWER_MS);
      const entry = await entryText(client, index);
      const files = { proof: `${out}/${index}.tlog-proof`, entry: entry === null ? null : `${out}/${index}.json` };
      replaceFile(absolutePath(files.proof), proof);
      if (files.entry !== null && entry !== null) replaceFile(absolutePath(files.entry), entry);
      const size = sizeOf(proof);
      if (json) terminal.out(JSON.stringify({ index, size, proof_file: files.proof, entry_file: files.entry }));
      else for (const line of provedLines(index, size, files)) terminal.out(line);
      done(EXIT.ok);
    });
}

function provedLines(index: number, size: number, { proof, entry }: { readonly proof: string; readonly entry: string | null }): string[] {
  const beside = entry === null ? ' --entry FILE' : '';
  return [
    `entry ${index} is in the log: proved under the checkpoint over ${size} ${size === 1 ? 'entry' : 'entries'}`,
    `  ${proof}`,
    entry === null ? '  its bytes were removed by retention: whoever kept them can check the proof' : `  ${entry}`,
    `to check it offline: waybill verify proof ${proof}${beside} --key VKEY`,
  ];
}

/** The exact bytes of an entry, or `null` when retention has removed it. They are UTF-8, so that the text is them. */
async function entryText(client: ApiClient, index: number): Promise<string | null> {
  let line: string;
  try {
    line = await client.text(`/v1/entries?from=${index}&limit=1`);
  } catch (error) {
    if (isWaybillError(error) && error.code === 'LEDGER_PRUNED') return null;
    throw error;
  }
  const before = `{"index":${index},"entry":`;
  if (!line.startsWith(before) || !line.endsWith('}\n'))
    throw new WaybillError('API_UNEXPECTED', `the running process did not answer with entry ${index}`);
  return line.slice(before.length, -2);
}

/** The size in the checkpoint of a proof. */
function sizeOf(proof: string): number {
  const size = Number(/\n\n[^\n]+\n(\d+)\n/.exec(proof)?.[1]);
  if (!Number.isSafeInteger(size)) throw new WaybillError('API_UNEXPECTED', 'the running process did not answer with a proof');
  return size;
}

function indexOf(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Expected the index of an entry.');
  return Number(text);
}
