interface Watcher {
  readonly condition: () => boolean;
  readonly stopped: () => { readonly reason?: unknown } | null;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** Those who wait for something to become true. Whoever changes it lets them look. */
export class Watchers {
  #waiting: Watcher[] = [];

  /** Resolves once `condition` holds. Rejects with the reason once `stopped` gives one and the condition does not hold. */
  until(condition: Watcher['condition'], stopped: Watcher['stopped']): Promise<void> {
    return new Promise((resolve, reject) => {
      const watcher = { condition, stopped, resolve, reject };
      if (!isOver(watcher)) this.#waiting.push(watcher);
    });
  }

  /** Lets everybody look again. */
  look(): void {
    this.#waiting = this.#waiting.filter((watcher) => !isOver(watcher));
  }
}

function isOver({ condition, stopped, resolve, reject }: Watcher): boolean {
  if (condition()) {
    resolve();
    return true;
  }
  const stop = stopped();
  if (stop === null) return false;
  reject(stop.reason);
  return true;
}
