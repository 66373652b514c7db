import { createPrivateKey, sign } from 'node:crypto';
import type { LogKey } from '../../src/contracts/heads.ts';
import { asIndex, asSize } from '../../src/contracts/units.ts';
import { sha256 } from '../../src/export/head.ts';
import type { ExportSource } from '../../src/export/source.ts';
import { encodeBundle } from '../../src/tlog/bundle.ts';
import { formatCheckpoint } from '../../src/tlog/checkpoint.ts';
import { type Hash, hashBytes, leafHash, nodeHash } from '../../src/tlog/hash.ts';
import { formatVerifierKey, keyId } from '../../src/tlog/key.ts';
import { formatNote } from '../../src/tlog/note.ts';
import { rootOf } from '../../src/tlog/proof.ts';
import { TILE_WIDTH, type Tile } from '../../src/tlog/tile.ts';

const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** A key pair of a test, always the same one for the same letter. */
export class TestKey {
  readonly verifierKey: string;
  readonly #name: string;
  readonly #id: string;
  readonly #key: ReturnType<typeof createPrivateKey>;

  constructor(name: string, letter = 'k') {
    const seed = Buffer.alloc(32, letter);
    this.#name = name;
    this.#key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
    const { x } = this.#key.export({ format: 'jwk' });
    const publicKey = Uint8Array.from(Buffer.from(String(x), 'base64url'));
    this.#id = keyId(sha256, name, 1, publicKey);
    this.verifierKey = formatVerifierKey({ name, id: this.#id, algorithm: 1, publicKey });
  }

  /** A note with this key's signature under it. */
  note(text: string): string {
    return formatNote(text, [{ name: this.#name, id: this.#id, bytes: sign(null, Buffer.from(text), this.#key) }]);
  }
}

/** A log in memory with everything that an export asks for. It is hashed from its entries again whenever something is asked: small ones. */
export class MadeLog implements ExportSource {
  readonly origin: string;
  readonly entries: Uint8Array[] = [];
  /** What was asked for, as paths of tiles would have it. */
  readonly asked: Tile[] = [];
  /** How many entries are published. */
  published = 0;
  beginning = 0;
  keys: readonly LogKey[];
  key: TestKey;
  checkpoints: string[] = [];
  #levels: Hash[][] = [[]];

  constructor(origin = 'example.test/audit', letter = 'k') {
    this.origin = origin;
    this.key = new TestKey(origin, letter);
    this.keys = [{ verifierKey: this.key.verifierKey, from: asSize(0), through: null }];
  }

  /** Adds entries as a ledger writes them, and publishes them. */
  grow(count: number, text: (index: number) => string = (index) => `event ${index}`): void {
    for (let k = 0; k < count; k += 1) {
      const index = this.entries.length;
      const place = `"source":"app","n":${index},"partition":null,"position":null`;
      const envelope = `${place},"received_at":"2026-11-24T11:08:09.123Z","id":"evt_${index}"`;
      this.append(Buffer.from(`{"v":1,${envelope},"schema":"json","event":${JSON.stringify({ text: text(index) })}}`));
    }
    this.published = this.entries.length;
  }

  /** Adds one entry of any bytes. */
  append(entry: Uint8Array): void {
    this.entries.push(entry);
    let hash = leafHash(sha256, entry, 0, entry.length);
    for (let level = 0; ; level += 1) {
      const row = (this.#levels[level] ??= []);
      row.push(hash);
      if (row.length % 2 === 1) return;
      hash = nodeHash(sha256, row.at(-2) as Hash, hash);
    }
  }

  /** The root over the first entries. */
  root(size: number): Promise<Hash> {
    return rootOf(sha256, size, (level, index) => this.#levels[level]?.[index] as Hash);
  }

  /** The root of a full subtree, for proofs. */
  hash(level: number, index: number): Hash {
    return this.#levels[level]?.[index] as Hash;
  }

  /** The signed head of a size. */
  async note(size: number, key = this.key): Promise<string> {
    return key.note(formatCheckpoint({ origin: this.origin, size, root: await this.root(size) }));
  }

  async facts(): ReturnType<ExportSource['facts']> {
    const policy = `${this.keys.map(({ verifierKey }) => `log ${verifierKey}`).join('\n')}\nquorum none\n`;
    return { origin: this.origin, beginning: asIndex(this.beginning), keys: this.keys, policy, checkpoints: this.checkpoints };
  }

  async checkpoint(): Promise<Uint8Array> {
    return Buffer.from(await this.note(this.published));
  }

  async tile(tile: Tile): Promise<Uint8Array> {
    this.asked.push(tile);
    const first = tile.n * TILE_WIDTH;
    if (tile.level !== 'entries') {
      const row = this.#levels[tile.level * 8] ?? [];
      return Buffer.concat(row.slice(first, first + tile.width).map(hashBytes));
    }
    const entries = this.entries.slice(first, first + tile.width);
    const offsets = [0];
    for (const entry of entries) offsets.push((offsets.at(-1) ?? 0) + entry.length);
    return encodeBundle(Buffer.concat(entries), Uint32Array.from(offsets.slice(0, -1)), Uint32Array.from(offsets.slice(1)));
  }
}
