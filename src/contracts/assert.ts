/** A promise that this program makes to itself was broken: the process must stop rather than go on in a state that nobody planned. */
export class BrokenInvariant extends Error {
  override readonly name = 'BrokenInvariant';
}

/**
 * Checks something that can only be false by a mistake in this program. It is always on. What comes from outside is checked, never
 * asserted.
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new BrokenInvariant(message);
}
