#!/usr/bin/env node
// The command `waybill`: the sources in a checkout, `dist/` in the published package.
import { existsSync } from 'node:fs';
import module from 'node:module';
import { fileURLToPath } from 'node:url';
import { findNode, runNode } from './find-node.js';

// The memory of a running pipeline is mostly buffers outside of the heap: request bodies, batches, the ledger's newest entries. The engine can be told
// how to treat them only when a process starts, so `run` replaces its own process once. Buffers count with the heap, and the two may double before
// a full collection (by default every 64 MB of buffers force one, a quarter of all the work under load); a small young generation gives buffers back
// soon; and one arena of the allocator keeps what is free together.
const MEMORY = ['--external-memory-accounted-in-global-limit', '--heap-growing-percent=100', '--max-semi-space-size=4'];

const self = fileURLToPath(import.meta.url);
const source = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
const built = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const main = existsSync(source) ? source : built;
const args = process.argv.slice(2);
const flags = args[0] === 'run' ? MEMORY : [];

// Stripping the types of all sources takes half a second of every start, and memory in every thread. What comes out is kept beside the packages, where
// nobody writes who could not change the sources as well; a published package has its types stripped already.
const cache = main === source ? fileURLToPath(new URL('../node_modules/.cache/waybill', import.meta.url)) : null;
const variables = flags.length === 0 ? {} : { MALLOC_ARENA_MAX: '1', ...(cache === null ? {} : { NODE_COMPILE_CACHE: cache }) };

if (findNode() !== process.execPath) {
  runNode([...flags, self, ...args], variables);
} else {
  if (flags.length > 0 && !process.execArgv.includes(MEMORY[0]) && process.execve !== undefined) {
    process.execve(process.execPath, [process.execPath, ...process.execArgv, ...flags, self, ...args], { ...process.env, ...variables });
  }
  if (cache !== null) module.enableCompileCache(cache);
  await import(main);
}
