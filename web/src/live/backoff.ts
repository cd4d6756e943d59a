/** Growing pauses with chance in them, so that pages do not come back all at once. */
export class Backoff {
  private tries = 0;

  constructor(private readonly random: () => number = Math.random) {}

  /** The next pause in milliseconds: half of 1, 2, 4 … 30 s, and up to as much again by chance. */
  next(): number {
    const longest = Math.min(30_000, 1000 * 2 ** this.tries++);
    return longest / 2 + (this.random() * longest) / 2;
  }

  reset(): void {
    this.tries = 0;
  }
}

/** The pauses of somebody who waits for a call to begin: 3 s for a minute, then 6, 12 … 60 s. */
export class WaitingPauses {
  private pauses = 0;

  next(): number {
    return Math.min(60_000, 3000 * 2 ** Math.max(0, this.pauses++ - 19));
  }
}

export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
  });
}
