/** What was read is not what its format says, or does not prove what it should. `reason` says in words what was wrong and where. */
export class TlogError extends Error {
  override readonly name = 'TlogError';
  readonly reason: string;

  constructor(reason: string) {
    super(reason);
    this.reason = reason;
  }
}
