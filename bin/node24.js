#!/usr/bin/env node
// Runs a script of this repository on Node 24, whatever Node the machine has.
import { runNode } from './find-node.js';

runNode(process.argv.slice(2));
