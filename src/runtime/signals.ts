/** What the signals of the operating system mean to the process. */
export interface SignalCallbacks {
  /** SIGTERM or SIGINT: finish what is in flight and end. It may be called again when the signal is sent again. */
  stop(signal: 'SIGTERM' | 'SIGINT'): void;
  /** SIGHUP: read the configuration again. */
  reload(): void;
}

/** Takes the signals over until `close`; from then on they end the process at once again. */
export function listenToSignals(callbacks: SignalCallbacks): { close(): void } {
  const onTerm = (): void => callbacks.stop('SIGTERM');
  const onInt = (): void => callbacks.stop('SIGINT');
  const onHup = (): void => callbacks.reload();
  process.on('SIGTERM', onTerm);
  process.on('SIGINT', onInt);
  process.on('SIGHUP', onHup);
  return {
    close() {
      process.off('SIGTERM', onTerm);
      process.off('SIGINT', onInt);
      process.off('SIGHUP', onHup);
    },
  };
}
