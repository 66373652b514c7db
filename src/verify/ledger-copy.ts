import { crc32c } from '@node-rs/crc32';
import type { Clock, Files } from '../contracts/ports.ts';
import type { Copy, FindingPiece, HeadPiece, Piece } from './copy.ts';
import type { Finding } from './findings.ts';
import { saltOf } from './frames.ts';
import { claimedSize } from './head-check.ts';
import { Packs } from './packs.ts';
import { listSegments, readBundleAgain, type SegmentName, type SegmentsPlace, SegmentWalk } from './segments.ts';

/** A ledger directory, opened to be read only. */
export type OpenedCopy = { readonly ok: true; readonly copy: Copy } | { readonly ok: false; readonly finding: Finding };

/**
 * Opens the directory of an embedded ledger, also beside the process that writes it: nothing is locked and nothing is changed. What is
 * wrong
 * with `ledger.json` is a finding, because nothing else can be read then.
 */
export async function openLedgerCopy(path: string, ports: { readonly files: Files; readonly clock: Clock }): Promise<OpenedCopy> {
  const text = await readWhole(ports.files, `${path}/ledger.json`);
  const facts = text === null ? null : readFacts(text);
  if (facts === null) {
    const message = text === null ? `${path} holds no ledger.json` : `${path}/ledger.json is not the file of a ledger of version 1`;
    return { ok: false, finding: { code: text === null ? 'FILE_MISSING' : 'FORMAT_UNKNOWN', message, index: null, file: 'ledger.json' } };
  }
  const place: SegmentsPlace = { path, id: facts.id, files: ports.files, clock: ports.clock };
  return { ok: true, copy: new LedgerCopy(place, facts.origin, (await listSegments(place)).segments) };
}

class LedgerCopy implements Copy {
  readonly what = 'ledger';
  readonly allTiles = false;
  readonly origin: string;
  readonly #place: SegmentsPlace;
  readonly #segments: readonly SegmentName[];
  readonly #packs: Packs;
  readonly #walk: SegmentWalk;

  constructor(place: SegmentsPlace, origin: string, segments: readonly SegmentName[]) {
    this.origin = origin;
    this.#place = place;
    this.#segments = segments;
    this.#packs = new Packs(place.files, `${place.path}/tree`, origin);
    this.#walk = new SegmentWalk(place, headsOf);
  }

  get growing(): boolean {
    return this.#walk.growing;
  }

  async *pieces(): AsyncGenerator<Piece> {
    yield* this.#walk.pieces();
    yield* this.#snapshots();
  }

  tile(level: number, n: number, width: number): Promise<Uint8Array | null> {
    return this.#packs.tile(level, n, width);
  }

  tileFile(level: number, n: number, width: number): string {
    return this.#packs.fileOf(level, n, width);
  }

  async bundle(n: number): ReturnType<Copy['bundle']> {
    const { segments } = await listSegments(this.#place);
    const segment = segments.findLast(({ first }) => first <= 256 * n);
    return segment === undefined ? null : readBundleAgain(this.#place, segment, n);
  }

  entryFile(index: number): string | null {
    return this.#segments.findLast(({ first }) => first <= index)?.file ?? null;
  }

  async *leftovers(): AsyncGenerator<FindingPiece> {
    for (const file of (await listSegments(this.#place)).others) {
      yield { kind: 'finding', code: 'FILE_EXTRA', message: `${file} is no file of a ledger`, file, index: null };
    }
  }

  close(): Promise<void> {
    return this.#packs.close();
  }

  /** A head that was recorded in a segment that retention removed is still in the snapshots. */
  async *#snapshots(): AsyncGenerator<Piece> {
    const names = (await this.#place.files.list(`${this.#place.path}/snapshots`)) ?? [];
    for (const file of names.filter((name) => name.endsWith('.snap')).map((name) => `snapshots/${name}`)) {
      const bytes = await readWhole(this.#place.files, `${this.#place.path}/${file}`);
      // The process that writes the ledger removes the oldest one now and then.
      if (bytes === null) continue;
      const register = readSnapshotRegister(bytes, saltOf(this.#place.id));
      if (register === null) yield { kind: 'finding', code: 'BYTES_DAMAGED', message: `${file} fails its checksum`, file, index: null };
      else yield* headsOf(register.get('tree.head') ?? '', file);
    }
  }
}

/** The heads in a value of the register key `tree.head`. */
export function headsOf(value: string, file: string): readonly HeadPiece[] {
  try {
    const { checkpoint } = JSON.parse(value) as { readonly checkpoint: unknown };
    if (typeof checkpoint !== 'string') return [];
    const note = new TextEncoder().encode(checkpoint);
    return [{ kind: 'head', note, size: claimedSize(note), file, sampled: true }];
  } catch {
    return [];
  }
}

const SNAPSHOT_MAGIC = Buffer.from([0x57, 0x42, 0x53, 0x4e, 0x41, 0x50, 0x01, 0xff]);
const SNAPSHOT_HEADER_BYTES = 24;

/** The register in a snapshot; `null` when the snapshot is not whole. */
export function readSnapshotRegister(bytes: Buffer, salt: number): ReadonlyMap<string, string> | null {
  if (bytes.length < SNAPSHOT_HEADER_BYTES || !bytes.subarray(0, 8).equals(SNAPSHOT_MAGIC) || bytes.readUInt32LE(8) !== salt) return null;
  if (bytes.readUInt32LE(20) !== crc32c(bytes.subarray(0, 20))) return null;
  const json = bytes.subarray(SNAPSHOT_HEADER_BYTES);
  if (bytes.readUInt32LE(12) !== json.length || bytes.readUInt32LE(16) !== crc32c(json)) return null;
  try {
    const { register } = JSON.parse(json.toString('utf8')) as { readonly register: unknown };
    return Array.isArray(register) ? new Map(register.filter(isPair)) : null;
  } catch {
    return null;
  }
}

function isPair(value: unknown): value is [string, string] {
  return Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === 'string');
}

function readFacts(bytes: Buffer): { readonly id: string; readonly origin: string } | null {
  try {
    const facts = JSON.parse(bytes.toString('utf8')) as Readonly<Record<string, unknown>>;
    const { format, version, origin, id } = facts;
    if (format !== 'waybill-ledger' || version !== 1 || typeof origin !== 'string') return null;
    return typeof id === 'string' && /^[0-9a-f]{32}$/.test(id) ? { id, origin } : null;
  } catch {
    return null;
  }
}

/** A file whole; `null` when it is not there. */
export async function readWhole(files: Files, path: string): Promise<Buffer | null> {
  const file = await files.open(path);
  if (file === null) return null;
  try {
    const { bytes: length } = await file.stat();
    const bytes = await file.read(0, length);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  } finally {
    await file.close();
  }
}
