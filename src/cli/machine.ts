import { type ChildProcess, type ChildProcessWithoutNullStreams, type Serializable, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { WaybillError } from '../contracts/errors.ts';

/** A child process whose three streams are pipes. */
export type PipedChild = ChildProcessWithoutNullStreams;

// Commands are the outermost layer: what they do with files and child processes is here, and nowhere else in this folder.

/** A path as the person at the terminal means it. */
export function absolutePath(path: string): string {
  return resolve(path);
}

/** The text of a file, or `null` when there is none. Rejects with `DISK_FAILED` when it can not be read. */
export function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw new WaybillError('DISK_FAILED', `cannot read ${path}: ${errnoOf(error)}`, { cause: error });
  }
}

/** The bytes of a file, or `null` when there is none. Rejects with `DISK_FAILED` when it can not be read. */
export function readBytes(path: string): Uint8Array | null {
  try {
    return readFileSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw new WaybillError('DISK_FAILED', `cannot read ${path}: ${errnoOf(error)}`, { cause: error });
  }
}

/** The permission bits of a file; `null` when it cannot be looked at. */
export function fileMode(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.mode ?? null;
}

/** Writes a file that is not there yet, whole or not at all, and makes it durable. Returns false, and changes nothing, when it is there. */
export function writeNewFile(path: string, text: string, mode: number): boolean {
  const unfinished = `${path}.${process.pid}.new`;
  try {
    const file = openSync(unfinished, 'w', mode);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    // A link, unlike a rename, never replaces what somebody else has written meanwhile.
    linkSync(unfinished, path);
    syncDirectory(dirname(path));
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw new WaybillError('DISK_FAILED', `cannot write ${path}: ${errnoOf(error)}`, { cause: error });
  } finally {
    rmSync(unfinished, { force: true });
  }
}

/** Removes a file, durably; nothing happens where there is none. */
export function removeFile(path: string): void {
  rmSync(path, { force: true });
  syncDirectory(dirname(path));
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** Writes a file, its directory included, whatever was there. For files that can be made again: it is not made durable. */
export function replaceFile(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** The paths of all files below a directory, from it, with `/` between the parts. */
export function filesUnder(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((item) => item.isFile())
    .map(({ parentPath, name }) => relative(directory, join(parentPath, name)).replaceAll(sep, '/'))
    .toSorted();
}

/** Whether a person reads standard output. */
export function isTerminal(): boolean {
  return process.stdout.isTTY;
}

/** Whether a person can be asked: standard input is a terminal. */
export function canAsk(): boolean {
  return process.stdin.isTTY;
}

/** The next line of standard input; empty when it has ended. */
export async function askLine(): Promise<string> {
  const lines = createInterface({ input: process.stdin });
  try {
    for await (const line of lines) return line;
    return '';
  } finally {
    lines.close();
  }
}

/** Ends this process after `ms` if something that nobody closed still keeps it alive. */
export function exitSoon(ms: number): void {
  setTimeout(() => process.exit(), ms).unref();
}

/** A directory of its own, which `remove` removes with everything in it. */
export function makeTemporaryDirectory(name: string): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), `${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** The path of a file of this checkout or package, by its path from the root; `null` when it is not there. */
export function ownFile(path: string): string | null {
  const absolute = fileURLToPath(new URL(`../../${path}`, import.meta.url));
  return existsSync(absolute) ? absolute : null;
}

/** Starts a script with the Node that runs this process, on the same terminal. */
export function spawnHere(script: string, args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [script, ...args], { stdio: 'inherit' });
}

/** Starts a script with the Node that runs this process, its three streams at our end of pipes. */
export function spawnPiped(script: string, args: readonly string[]): PipedChild {
  return spawn(process.execPath, [script, ...args], { stdio: 'pipe' });
}

/**
 * The same with a fourth stream, over which the child asks: `answer` is given what it asks, and its answer is sent back. A question that
 * cannot be answered any more is dropped, as the child is gone then.
 */
export function spawnWithChannel(script: string, args: readonly string[], answer: (question: unknown) => Promise<unknown>): PipedChild {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['pipe', 'pipe', 'pipe', 'ipc'] });
  child.on('message', (message: { readonly id: number; readonly question: unknown }) => {
    answer(message.question).then(
      (value) => child.connected && child.send({ id: message.id, answer: value as Serializable }, () => {}),
      (error: unknown) => child.connected && child.send({ id: message.id, error: String(error) }, () => {}),
    );
  });
  return child as PipedChild;
}

/** The other end of `spawnWithChannel`, in the child. `gone` is called once nobody is there to answer any more. */
export function openChannel(gone: () => void): { ask(question: unknown): Promise<unknown>; close(): void } {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let asked = 0;
  process.on('message', ({ id, answer, error }: { readonly id: number; readonly answer?: unknown; readonly error?: string }) => {
    if (error === undefined) waiting.get(id)?.resolve(answer);
    else waiting.get(id)?.reject(new Error(error));
    waiting.delete(id);
  });
  process.on('disconnect', gone);
  return {
    ask(question) {
      asked += 1;
      const answer = Promise.withResolvers<unknown>();
      waiting.set(asked, answer);
      process.send?.({ id: asked, question });
      return answer.promise;
    },
    close() {
      process.off('disconnect', gone);
      // An open channel keeps a process alive that is done.
      process.disconnect?.();
    },
  };
}

/** The path of the command itself, as `npx waybill` starts it. */
export function ownCommand(): string {
  return fileURLToPath(new URL('../../bin/waybill.js', import.meta.url));
}

/** The path of a script of this folder, by its name without the ending. */
export function ownScript(name: string): string {
  return fileURLToPath(new URL(`./${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url));
}

/** A port of the loopback interface that is free now, for a process that has to find it again after a restart. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Resolves with how a child ended. */
export function childEnd(child: ChildProcess): Promise<{ readonly code: number | null; readonly signal: string | null }> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve({ code: child.exitCode, signal: child.signalCode });
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('exit', (code, signal) => done({ code, signal }));
  });
}

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
