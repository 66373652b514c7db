/** The stored edge of the tree, as `docs/formats/tree-v1.md` fixes it. */
import { crc32c } from '@node-rs/crc32';
import type { Ports } from '../contracts/ports.ts';
import type { Edge } from '../tlog/edge.ts';
import type { Top } from './top.ts';

const EDGE = 'edge';

/**
 * What is stored in a directory of the tree: a `top`, or only an `edge` as version 1 stored it, or `none`. `damaged` stands for what
 * cannot be used.
 */
export type StoredEdge =
  | { readonly kind: 'top'; readonly top: Top }
  | { readonly kind: 'edge'; readonly edge: Edge }
  | { readonly kind: 'none' | 'damaged' };

/** Reads the stored edge. */
export async function readEdgeFile(disk: Ports['disk'], directory: string): Promise<StoredEdge> {
  const path = `${directory}/${EDGE}`;
  const length = await disk.length(path);
  if (length === null) return { kind: 'none' };
  const file = await disk.open(path, 'read');
  try {
    const text = checkedText(await file.read(0, length));
    const top = text === null ? null : parseTop(text);
    if (top !== null) return { kind: 'top', top };
    const edge = parseEdge(text);
    return edge === null ? { kind: 'damaged' } : { kind: 'edge', edge };
  } finally {
    await file.close();
  }
}

/** Replaces the stored edge. What it covers is durable. Whatever fails, the old one or the new one is there. */
export async function writeEdgeFile(disk: Ports['disk'], directory: string, top: Top): Promise<void> {
  const text = topText(top);
  const temporary = `${directory}/${EDGE}.tmp`;
  const file = await disk.open(temporary, 'create');
  try {
    await file.truncate(0);
    await file.commit(Buffer.from(`${checkOf(text)} ${text}\n`), 0);
  } finally {
    await file.close();
  }
  await disk.rename(temporary, `${directory}/${EDGE}`);
  await disk.syncDirectory(directory);
}

/** An edge as one line of JSON, for the register. */
export function edgeText(edge: Edge): string {
  return JSON.stringify({ v: 1, ...edgeValue(edge) });
}

/** The edge in a line of JSON, or `null` when there is none. What passed a check was written by some version of this program. */
export function parseEdge(text: string | null): Edge | null {
  if (text === null) return null;
  const value = JSON.parse(text) as EdgeValue & { readonly v: number };
  return value.v === 1 ? edgeOf(value) : null;
}

interface EdgeValue {
  readonly size: number;
  readonly hashes: readonly string[];
}

interface TopValue extends EdgeValue {
  readonly v: number;
  readonly tiles: readonly string[];
  readonly floor: EdgeValue | null;
}

function topText({ edge, tiles, floor }: Top): string {
  const value: TopValue = {
    v: 2,
    ...edgeValue(edge),
    tiles: tiles.map((tile) => Buffer.from(tile.buffer, tile.byteOffset, tile.byteLength).toString('base64')),
    floor: floor === null ? null : edgeValue(floor),
  };
  return JSON.stringify(value);
}

function parseTop(text: string): Top | null {
  const value = JSON.parse(text) as TopValue;
  if (value.v !== 2) return null;
  const tiles = value.tiles.map((tile) => Uint8Array.from(Buffer.from(tile, 'base64')));
  return { edge: edgeOf(value), tiles, floor: value.floor === null ? null : edgeOf(value.floor) };
}

function edgeValue({ size, hashes }: Edge): EdgeValue {
  return { size, hashes: hashes.map((hash) => Buffer.from(hash, 'latin1').toString('base64')) };
}

function edgeOf({ size, hashes }: EdgeValue): Edge {
  return { size, hashes: hashes.map((hash) => Buffer.from(hash, 'base64').toString('latin1')) };
}

/** The line of JSON in a stored edge, or `null` when it is not whole. */
function checkedText(bytes: Uint8Array): string | null {
  const line = Buffer.from(bytes).toString('utf8');
  const text = line.slice(9, -1);
  return line.length < 10 || line.slice(0, 8) !== checkOf(text) ? null : text;
}

function checkOf(text: string): string {
  return crc32c(text).toString(16).padStart(8, '0');
}
