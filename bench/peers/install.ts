import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';

/**
 * The Debian packages of the peers, with the libraries that a small machine may lack. The two conflict as system loggers, so they are
 * unpacked and not installed.
 */
const PACKAGES = [
  'rsyslog',
  'rsyslog-elasticsearch',
  'libestr0',
  'libfastjson4',
  'liblognorm5',
  'syslog-ng-core',
  'syslog-ng-mod-http',
  'libivykis0',
  'libnet1',
  'libpcre3',
  'libwrap0',
  'libglib2.0-0',
  'libjson-c5',
  'libcurl4',
  'libcurl3-gnutls',
];

/** Where the peers were unpacked, and how to run them from there. */
export interface Peers {
  readonly root: string;
  readonly libraries: string;
  readonly env: NodeJS.ProcessEnv;
}

/** Unpacks the peers into `directory` once and tells how to run them; null where Debian's package tools are not there. */
export function installPeers(directory: string): Peers | null {
  const root = `${directory}/root`;
  try {
    if (!existsSync(`${root}/usr/sbin/rsyslogd`) || !existsSync(`${root}/usr/sbin/syslog-ng`)) unpack(directory, root);
  } catch (error) {
    process.stderr.write(`the peers cannot be unpacked here: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}\n`);
    return null;
  }
  const multiarch = readdirSync(`${root}/usr/lib`).find((name) => name.endsWith('-linux-gnu')) ?? '';
  const libraries = `${root}/usr/lib/${multiarch}`;
  return {
    root,
    libraries,
    env: { ...process.env, LD_LIBRARY_PATH: [libraries, `${root}/lib/${multiarch}`, `${root}/usr/lib/syslog-ng`].join(':') },
  };
}

function unpack(directory: string, root: string): void {
  mkdirSync(root, { recursive: true });
  execFileSync('apt-get', ['update', '-qq'], { stdio: 'ignore' });
  execFileSync('apt-get', ['download', '-qq', ...PACKAGES], { cwd: directory, stdio: 'ignore' });
  for (const name of readdirSync(directory).filter((file) => file.endsWith('.deb'))) {
    execFileSync('dpkg', ['-x', `${directory}/${name}`, root]);
  }
}
