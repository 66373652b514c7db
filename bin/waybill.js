#!/usr/bin/env node
// The command `waybill`: the sources in a checkout, `dist/` in the published package.
import { existsSync } from 'node:fs';
import module from 'node:module';
import { fileURLToPath } from 'node:url';
import { findNode, runNode } from './find-node.js';

const source = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
const built = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const main = existsSync(source) ? source : built;

if (findNode() === process.execPath) {
  // Stripping the types of all sources takes half a second of every start. What comes out is kept beside the packages, where nobody writes who
  // could not change the sources as well; a published package has its types stripped already.
  if (main === source) module.enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/waybill', import.meta.url)));
  await import(main);
} else runNode([fileURLToPath(import.meta.url), ...process.argv.slice(2)]);
