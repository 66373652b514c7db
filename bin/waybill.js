#!/usr/bin/env node
// The command `waybill`: the sources in a checkout, `dist/` in the published package.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { findNode, runNode } from './find-node.js';

const source = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
const built = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const main = existsSync(source) ? source : built;

if (findNode() === process.execPath) await import(main);
else runNode([main, ...process.argv.slice(2)]);
