/**
 * Node keeps a signal made by `AbortSignal.any` alive as long as somebody listens to it. A process of the simulation that was killed
 * listens for ever, and would be kept with everything that it had. So within the simulation such a signal is an ordinary one that is told
 * by the others: what nobody can reach any more goes.
 */
export function keepNoSignals(): void {
  AbortSignal.any = (signals) => {
    const any = new AbortController();
    for (const signal of signals) {
      if (signal.aborted) {
        any.abort(signal.reason);
        break;
      }
      signal.addEventListener('abort', () => any.abort(signal.reason), { once: true });
    }
    return any.signal;
  };
}
