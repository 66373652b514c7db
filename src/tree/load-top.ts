import { WaybillError } from '../contracts/errors.ts';
import type { Ports } from '../contracts/ports.ts';
import { asIndex } from '../contracts/units.ts';
import type { Edge } from '../tlog/edge.ts';
import { HASH_BYTES, hashBytes, leafHash } from '../tlog/hash.ts';
import { TILE_WIDTH } from '../tlog/tile.ts';
import { parseEdge, readEdgeFile, type StoredEdge } from './edge-file.ts';
import type { FollowedLedger } from './followed.ts';
import { sha256 } from './grow.ts';
import { Hashes } from './hashes.ts';
import type { Packs } from './packs.ts';
import { EMPTY_TOP, type Top } from './top.ts';

/** The register key of the edge that retention has left behind. */
export const PIN_KEY = 'tree.edge';

/**
 * Where the tree goes on: at the stored edge when it is whole and the ledger still has what follows it; else from the first entry; else,
 * where retention has removed that, from the edge in the register. Rejects with `LEDGER_CORRUPT` when there is no such place, and with
 * `LEDGER_REWOUND` when the tree was made of more entries than there are.
 */
export async function loadTop(directory: string, ledger: FollowedLedger, packs: Packs, ports: Pick<Ports, 'disk' | 'log'>): Promise<Top> {
  const usable = (edge: Edge | null): edge is Edge => edge !== null && edge.size <= ledger.size() && edge.size >= ledger.beginning();
  const stored = await readEdgeFile(ports.disk, directory);
  refuseRewound(stored, directory, ledger);
  if (stored.kind === 'top' && usable(stored.top.edge)) return stored.top;
  if (stored.kind === 'edge')
    ports.log.info('the tree was stored without its hashes, which are written now', { directory, entries: ledger.size() });
  else if (stored.kind !== 'none') ports.log.warn('the stored edge of the tree is not usable; the tree is built again', { directory });
  if (ledger.beginning() === 0) return EMPTY_TOP;
  const pinned = parseEdge(ledger.register.get(PIN_KEY));
  if (usable(pinned)) return topFrom(pinned, ledger, packs, ports);
  if (stored.kind === 'edge' && usable(stored.edge)) return topFrom(stored.edge, ledger, packs, ports);
  const file = `${directory}/edge`;
  throw new WaybillError('LEDGER_CORRUPT', `${file} is damaged or missing, and entries below ${ledger.beginning()} are no longer there`, {
    facts: { file, offset: 0 },
  });
}

/** An edge is stored only once its entries are durable: no crash explains that they are not there, and a new tree would hide it. */
function refuseRewound(stored: StoredEdge, directory: string, ledger: Pick<FollowedLedger, 'size'>): void {
  const edge = stored.kind === 'top' ? stored.top.edge : stored.kind === 'edge' ? stored.edge : null;
  if (edge === null || edge.size <= ledger.size()) return;
  throw new WaybillError('LEDGER_REWOUND', `the tree in ${directory} covers ${edge.size} entries, and the ledger has ${ledger.size()}`);
}

/** The top of a tree that goes on from an edge: its partial tiles as far as packs, entries and the edge still tell them. */
async function topFrom(floor: Edge, ledger: FollowedLedger, packs: Packs, ports: Pick<Ports, 'log'>): Promise<Top> {
  const tiles = [await leavesBelow(floor.size, ledger)];
  const top: Top = { edge: floor, tiles, floor };
  const hashes = new Hashes({ top: () => top, packs, ledger, log: ports.log });
  for (let level = 1; TILE_WIDTH ** level <= floor.size; level++) {
    const end = Math.floor(floor.size / TILE_WIDTH ** level);
    const tile = new Uint8Array((end % TILE_WIDTH) * HASH_BYTES);
    for (let k = end - (end % TILE_WIDTH), at = 0; k < end; k++, at += HASH_BYTES) {
      const found = await hashes.find(8 * level, k);
      if (found !== null) tile.set(hashBytes(found), at);
    }
    tiles.push(tile);
  }
  return top;
}

/** The partial tile of leaf hashes below a size; zero bytes stand for entries that are no longer there. */
async function leavesBelow(size: number, ledger: Pick<FollowedLedger, 'read' | 'beginning'>): Promise<Uint8Array> {
  const first = size - (size % TILE_WIDTH);
  const tile = new Uint8Array((size - first) * HASH_BYTES);
  for (let at = Math.max(first, ledger.beginning()); at < size; ) {
    const { count, bytes, starts, ends } = await ledger.read(asIndex(at), { entries: size - at, bytes: 2 << 20 });
    for (let k = 0; k < count; k++)
      tile.set(hashBytes(leafHash(sha256, bytes, starts[k] ?? 0, ends[k] ?? 0)), (at - first + k) * HASH_BYTES);
    at += count;
  }
  return tile;
}
