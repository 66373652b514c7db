import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { cpuSeconds, rssMb } from '../figures.ts';
import { benchFile, receiverFigures, runLoad, running, startReceiver, until } from '../processes.ts';
import { WARM_EVENTS } from '../rows/through.ts';
import type { Peers } from './install.ts';

/** What one peer did with the load of row 1. */
export interface PeerFigures {
  readonly name: string;
  readonly path: string;
  readonly eventsPerSecond: number;
  readonly cpuPerMillion: number;
  readonly rssMb: number;
}

/** The peers that can be run, and the path that each takes. */
export const PEERS = {
  rsyslog: { path: 'tcp → disk queue (no fsync) → http bulk', receiverPath: '/_bulk' },
  'syslog-ng': { path: 'tcp → reliable disk buffer (no fsync) → http', receiverPath: '/in' },
} as const;

/** The name of a peer. */
export type PeerName = keyof typeof PEERS;

/**
 * Runs the load of row 1 through one peer, with the same generator and the same receiver, and measures it from the first line sent to the
 * last one received.
 */
export async function runPeer(
  name: PeerName,
  peers: Peers,
  directory: string,
  events: number,
  ports: { in: number; out: number },
): Promise<PeerFigures> {
  const work = `${directory}/${name}-work`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const receiver = await startReceiver(ports.out);
  const peer = start(name, peers, work, ports);
  try {
    await until(`${name} to listen`, 20, () => listens(ports.in));
    const received = async (): Promise<number> => {
      const { seen } = await receiverFigures(ports.out);
      return Object.entries(seen).reduce((sum, [path, facts]) => sum + (path.startsWith(PEERS[name].receiverPath) ? facts.events : 0), 0);
    };
    const pass = async (count: number): Promise<void> => {
      const before = await received();
      await runLoad({ mode: 'tcp', port: ports.in, count, batch: 100, connections: 4 });
      await until(`${name} to deliver ${count} events`, 240, async () => (await received()) >= before + count);
    };
    await pass(WARM_EVENTS);
    const cpuBefore = cpuSeconds(peer.pid);
    const begun = performance.now();
    await pass(events);
    const seconds = (performance.now() - begun) / 1_000;
    const cpu = cpuSeconds(peer.pid) - cpuBefore;
    return { name, path: PEERS[name].path, eventsPerSecond: events / seconds, cpuPerMillion: (cpu / events) * 1e6, rssMb: rssMb(peer.pid) };
  } finally {
    await peer.stop('SIGKILL');
    await receiver.stop();
    rmSync(work, { recursive: true, force: true });
  }
}

function start(name: PeerName, peers: Peers, work: string, ports: { in: number; out: number }): ReturnType<typeof running> {
  const facts: Record<string, string> = { WORK: work, LIB: peers.libraries, IN: String(ports.in), OUT: String(ports.out) };
  const text = readFileSync(benchFile(`peers/${name}.conf`), 'utf8').replace(/@([A-Z]+)@/g, (_, key: string) => facts[key] ?? '');
  const file = `${work}/${name}.conf`;
  writeFileSync(file, text);
  const [command, args] =
    name === 'rsyslog'
      ? [`${peers.root}/usr/sbin/rsyslogd`, ['-n', '-f', file, '-i', `${work}/pid`, '-M', `${peers.libraries}/rsyslog`]]
      : [
          `${peers.root}/usr/sbin/syslog-ng`,
          ['-F', '-f', file, '-p', `${work}/pid`, '-c', `${work}/ctl`, '-R', `${work}/persist`, ...modulePath(peers)],
        ];
  return running(spawn(command, args, { env: peers.env, stdio: ['ignore', 'ignore', 'inherit'] }));
}

function modulePath(peers: Peers): string[] {
  return ['--module-path', `${peers.root}/usr/lib/syslog-ng/3.38`];
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
