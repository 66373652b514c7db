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
