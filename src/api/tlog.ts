/** The log as every C2SP client reads it: tlog-tiles, under `/tlog/`. */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { z } from 'zod';
import { assert } from '../contracts/assert.ts';
import { WaybillError } from '../contracts/errors.ts';
import type { Heads, PublishedHead, TreeHashes } from '../contracts/heads.ts';
import type { Ledger } from '../contracts/ledger.ts';
import { asIndex } from '../contracts/units.ts';
import { encodeBundle } from '../tlog/bundle.ts';
import { parseTilePath, TILE_WIDTH, type Tile } from '../tlog/tile.ts';
import type { RouteAbout } from './about.ts';
import { type Answer, json } from './answer.ts';
import { type Call, onlyKnown, shown } from './call.ts';

/** What was published of the log, and the hashes under it. */
export interface LogParts {
  readonly heads: Pick<Heads, 'published' | 'waitCovering' | 'keys' | 'policy'>;
  readonly tree: Pick<TreeHashes, 'tile' | 'inclusion'>;
  readonly ledger: Pick<Ledger, 'origin' | 'read' | 'size' | 'beginning'>;
}

const TILE_TYPE = 'application/octet-stream';
const NOTE_TYPE = 'text/plain; charset=utf-8';
const READ_BYTES = 1 << 20;
/** A tile of a width never changes. Hashes are for everybody, entries only for whoever may read them. */
const FOR_EVER = 'max-age=31536000, immutable';
const BUNDLE = z.string().describe('For each entry its length in two bytes, the high one first, and its bytes.');
const HASHES = z.string().describe('Hashes of 32 bytes, one after another.');

const packed = promisify(gzip);

/** About `GET /tlog/checkpoint`. */
export const checkpointAbout: RouteAbout = {
  summary: 'The newest published checkpoint',
  details:
    'A signed note of C2SP tlog-checkpoint with the lines of the log, of its freshness key and of its witnesses. Everybody may read it, ' +
    'as the hash tiles. The address of the log for any C2SP client is this path without `checkpoint`.',
  answer: { 'text/plain': z.string().describe('The note.') },
  errors: ['NOT_PUBLISHED'],
};

const logKey = z.object({
  vkey: z.string().describe('The verifier key, C2SP signed-note.'),
  from: z.int().min(0).describe('The first size that it signed for.'),
  through: z.int().min(0).nullable().describe('The last one; `null` while it is in use.'),
});

/** About `GET /tlog/log.json`. */
export const logAbout: RouteAbout = {
  summary: 'What the log says of itself',
  details:
    'What a copy of the log needs beside its tiles; `waybill export` asks for it. Compare the keys with those that came on another way: ' +
    'here they come from who has to be checked.',
  answer: {
    'application/json': z.object({
      origin: z.string().describe('The name of the log.'),
      beginning: z.int().min(0).describe('The oldest entry that can still be read.'),
      keys: z.array(logKey).describe('Every key that signed heads, the oldest first.'),
      policy: z.string().describe('The keys, the witnesses and how many of them have to sign, in the form of C2SP tlog-policy.'),
      checkpoints: z.array(z.string()).describe('Older heads, as whole notes, the oldest first.'),
    }),
  },
};

/** About `GET /tlog/tile/entries/…`. */
export const bundleAbout: RouteAbout = {
  summary: 'An entry bundle',
  details:
    'C2SP tlog-tiles: `N` in groups of three digits, all but the last with an `x` before them, and `.p/W` for the first `W` of 256 ' +
    'entries. ' +
    'Bundles are cut from the ledger up to the newest published checkpoint. They are packed with gzip for who accepts that.',
  params: [['tile', '`N` or `N.p/W`, such as `x001/067.p/5`.']],
  answer: { [TILE_TYPE]: BUNDLE },
  errors: ['PATH_UNKNOWN', 'LEDGER_PRUNED'],
};

/** About `GET /tlog/tile/…`. */
export const tileAbout: RouteAbout = {
  summary: 'A hash tile',
  details:
    'C2SP tlog-tiles: the level, then `N` as with bundles, and `.p/W` for the first `W` hashes. Tiles are there up to the newest ' +
    'published checkpoint, ' +
    'also for entries that retention has removed.',
  params: [['tile', '`L/N` or `L/N.p/W`, such as `0/x001/067.p/5`.']],
  answer: { [TILE_TYPE]: HASHES },
  errors: ['PATH_UNKNOWN', 'LEDGER_PRUNED'],
};

/** `GET /tlog/checkpoint`. */
export function checkpoint({ query }: Call, { heads }: LogParts): Answer {
  onlyKnown(query, []);
  const { checkpoint: note } = publishedHead(heads);
  return { status: 200, headers: { 'content-type': NOTE_TYPE, 'cache-control': 'public, max-age=1' }, body: note };
}

/** `GET /tlog/log.json`. */
export function logFacts({ query }: Call, { heads, ledger }: LogParts): Answer {
  onlyKnown(query, []);
  const keys = heads.keys().map(({ verifierKey: vkey, from, through }) => ({ vkey, from, through }));
  return json(200, { origin: ledger.origin, beginning: ledger.beginning(), keys, policy: heads.policy(), checkpoints: [] });
}

/** `GET /tlog/tile/L/N` and `GET /tlog/tile/L/N.p/W`: hashes. */
export async function hashTile(call: Call, { heads, tree }: LogParts): Promise<Answer> {
  const { level, n, width } = tileOf(call, '', heads);
  if (level === 'entries') throw unknownTile(call);
  const hashes = await tree.tile(level, n, width);
  if (hashes === null) throw new WaybillError('LEDGER_PRUNED', `tile ${level}/${n} is no longer kept, nor are its entries`);
  return { status: 200, headers: { 'content-type': TILE_TYPE, 'cache-control': `public, ${FOR_EVER}` }, body: hashes };
}

/** `GET /tlog/tile/entries/N` and `GET /tlog/tile/entries/N.p/W`: entries. */
export async function entryBundle(call: Call, { heads, ledger }: LogParts): Promise<Answer> {
  const { n, width } = tileOf(call, 'entries/', heads);
  const parts: Uint8Array[] = [];
  const [first, end] = [n * TILE_WIDTH, n * TILE_WIDTH + width];
  for (let at = first; at < end; ) {
    const { count, bytes, starts, ends } = await ledger.read(asIndex(at), { entries: end - at, bytes: READ_BYTES });
    assert(count > 0, 'a published head covers only entries that are there');
    const part = encodeBundle(bytes, starts, ends);
    call.hold(part.length);
    parts.push(part);
    at += count;
  }
  const bundle = Buffer.concat(parts);
  const headers = { 'content-type': TILE_TYPE, 'cache-control': `private, ${FOR_EVER}`, vary: 'accept-encoding' };
  if (!acceptsGzip(call.header('accept-encoding'))) return { status: 200, headers, body: bundle };
  return { status: 200, headers: { ...headers, 'content-encoding': 'gzip' }, body: await packed(bundle) };
}

/** The newest published head. Throws `NOT_PUBLISHED` before the first. */
export function publishedHead(heads: LogParts['heads']): PublishedHead {
  const head = heads.published();
  if (head === null) throw new WaybillError('NOT_PUBLISHED', 'no head of the log was published yet');
  return head;
}

/** The tile that a path names, when the newest published head covers it. */
function tileOf(call: Call, prefix: string, heads: LogParts['heads']): Tile {
  onlyKnown(call.query, []);
  const tile = parseTilePath(`tile/${prefix}${call.params[0] ?? ''}`);
  if (tile === null) throw unknownTile(call);
  const each = tile.level === 'entries' ? 1 : TILE_WIDTH ** tile.level;
  // No number of a tile overflows: the path would have been refused.
  if ((tile.n * TILE_WIDTH + tile.width) * each > (heads.published()?.size ?? 0)) throw unknownTile(call);
  return tile;
}

function unknownTile({ params }: Call): WaybillError {
  return new WaybillError('PATH_UNKNOWN', `there is no tile ${shown(params[0] ?? '')} up to the newest published checkpoint`);
}

/** Whether `Accept-Encoding` names gzip and does not weigh it with nothing. */
function acceptsGzip(header: string | undefined): boolean {
  return (header ?? '').split(',').some((part) => /^\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0{0,3})?\s*$)[\d.]+\s*)?$/i.test(part));
}
