// Sources are run by type stripping and the ledger uses modules that Node 20 lacks. This finds a Node that is new enough:
// the one that runs, or the one that the private workspace `tools/node` brought from the npm registry.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';

const MAJOR_MIN = 24;

/** The path of a Node that is new enough, or null. */
export function findNode() {
  if (Number(process.versions.node.split('.')[0]) >= MAJOR_MIN) return process.execPath;
  const require = createRequire(import.meta.url);
  try {
    return require.resolve(`node-${process.platform}-${process.arch}/bin/node`);
  } catch {
    return null;
  }
}

/** Runs Node with these arguments, and these variables added, in place of this process: same streams, same signals, same exit. */
export function runNode(args, variables = {}) {
  const node = findNode();
  if (node === null) {
    process.stderr.write(
      `waybill needs Node ${MAJOR_MIN} or newer, and this is ${process.version}. Install it from nodejs.org, then run this again.\n`,
    );
    process.exit(1);
  }
  const child = spawn(node, args, { stdio: 'inherit', env: { ...process.env, ...variables } });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`waybill could not start ${node}: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(name);
    process.kill(process.pid, signal);
  });
}
