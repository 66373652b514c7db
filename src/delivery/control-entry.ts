import type { Batch } from '../contracts/entry.ts';
import { CONTROL_SOURCE } from '../contracts/units.ts';

// An envelope has no space in it and begins with its version and its source, so control entries are known by their first bytes.
const PREFIX = new TextEncoder().encode(`{"v":1,"source":"${CONTROL_SOURCE}",`);
const text = new TextDecoder();

/** Whether the pipeline wrote entry `place` of a batch itself. */
export function isControlEntry(batch: Batch, place: number): boolean {
  const start = batch.starts[place] as number;
  for (let k = 0; k < PREFIX.length; k++) {
    if (batch.bytes[start + k] !== PREFIX[k]) return false;
  }
  return true;
}

/** Whether a control entry is about this destination: its event names it. */
export function isOwnEntry(batch: Batch, place: number, destination: string): boolean {
  const entry: unknown = JSON.parse(text.decode(batch.bytes.subarray(batch.starts[place], batch.ends[place])));
  const event = typeof entry === 'object' && entry !== null && 'event' in entry ? entry.event : null;
  return typeof event === 'object' && event !== null && 'destination' in event && event.destination === destination;
}

const RECEIVED_AT = Buffer.from('"received_at":"');

/**
 * When an entry was received, in milliseconds since 1970; `null` where it does not say. Before that key there are only strings in which
 * a quote is escaped, so that the first place with these bytes is the key.
 */
export function receivedAtOf(batch: Batch, place: number): number | null {
  const { bytes, starts, ends } = batch;
  const entry = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).subarray(starts[place], ends[place]);
  const at = entry.indexOf(RECEIVED_AT);
  if (at === -1) return null;
  const time = Date.parse(entry.toString('latin1', at + RECEIVED_AT.length, at + RECEIVED_AT.length + 24));
  return Number.isNaN(time) ? null : time;
}
