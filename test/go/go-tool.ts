import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where Debian puts the sources of Go packages, and the command itself when it is not in the path. */
const GOPATH = '/usr/share/gocode';
const MODULE = `${GOPATH}/src/golang.org/x/mod/sumdb/tlog`;

/** The verifier in Go, built from `verify.go`: it shares nothing with the program that is tested. */
export interface GoVerifier {
  /** Runs it. `ok` is its exit code 0. */
  run(...words: readonly string[]): { readonly ok: boolean; readonly output: string };
  remove(): void;
}

/**
 * Builds the verifier, or another program of one file that uses the same packages; Go and the module are installed first where they are not
 * there, which takes the right to do so.
 */
export function buildGoVerifier(source = join(import.meta.dirname, 'verify.go')): GoVerifier {
  const missing = [
    ...(spawnSync('go', ['version']).status === 0 ? [] : ['golang-go']),
    ...(existsSync(MODULE) ? [] : ['golang-golang-x-mod-dev']),
  ];
  if (missing.length > 0) {
    execFileSync('apt-get', ['update', '-qq'], { stdio: 'ignore' });
    execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], { stdio: 'ignore' });
  }
  const directory = mkdtempSync(join(tmpdir(), 'waybill-go-'));
  const program = `${directory}/verify`;
  const env = {
    ...process.env,
    GO111MODULE: 'off',
    GOPATH,
    GOCACHE: `${directory}/cache`,
    GOFLAGS: '',
    CGO_ENABLED: '0',
    GOTOOLCHAIN: 'local',
  };
  execFileSync('go', ['build', '-o', program, source], {
    cwd: directory,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return {
    run(...words) {
      const { status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8', timeout: 60_000 });
      return { ok: status === 0, output: stdout + stderr };
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
