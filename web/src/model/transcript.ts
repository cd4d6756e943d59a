import type { Conversation, Counts, Utterance } from "./types";

/** Negative if `a` was spoken before `b`. */
export function spokenBefore(a: Utterance, b: Utterance): number {
  return a.at - b.at || a.endAt - b.endAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/** The newer state of a call: that with the higher version, whichever came last. */
export function newer<T extends { version: number }>(known: T | undefined, came: T): T {
  return known && known.version > came.version ? known : came;
}

/**
 * All that is known of a call, merged by the utterances' ids from what events said and what was
 * read. Each is there once, in the order in which it was spoken.
 */
export class Transcript {
  conversation: Conversation | undefined;
  counts: Counts | undefined;
  private readonly byId = new Map<string, Utterance>();
  private readonly wasRead = new Set<string>();
  private sorted: Utterance[] = [];

  get utterances(): readonly Utterance[] {
    return this.sorted;
  }

  /** What an event said: later than what was read, and no better. */
  told(utterance: Utterance): void {
    if (!this.byId.has(utterance.id)) this.put(utterance);
  }

  /** What was read: it replaces what an event said. */
  read(utterances: Iterable<Utterance>): void {
    for (const utterance of utterances) {
      this.wasRead.add(utterance.id);
      this.put(utterance);
    }
  }

  picture(conversation: Conversation): void {
    this.conversation = newer(this.conversation, conversation);
  }

  /**
   * After everything was read: what was read before and is not there now was deleted, for instance
   * because the call was erased. What only an event said may be younger than the look, so it stays.
   */
  keepOnly(ids: ReadonlySet<string>): void {
    const gone = [...this.wasRead].filter((id) => !ids.has(id));
    if (!gone.length) return;
    for (const id of gone) {
      this.wasRead.delete(id);
      this.byId.delete(id);
    }
    this.sorted = this.sorted.filter((utterance) => this.byId.has(utterance.id));
  }

  /** The call was erased: nothing of it stays on the page. */
  erase(): void {
    this.conversation = undefined;
    this.counts = undefined;
    this.byId.clear();
    this.wasRead.clear();
    this.sorted = [];
  }

  private put(utterance: Utterance): void {
    const known = this.byId.get(utterance.id);
    this.byId.set(utterance.id, utterance);
    if (known) this.sorted.splice(this.placeOf(known), 1);
    this.sorted.splice(this.placeOf(utterance), 0, utterance);
  }

  /** Where it is, or belongs; nearly always the end. */
  private placeOf(utterance: Utterance): number {
    let low = 0;
    let high = this.sorted.length;
    const last = this.sorted[high - 1];
    if (!last || spokenBefore(last, utterance) < 0) return high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (spokenBefore(this.sorted[middle]!, utterance) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
