import { newer } from "./transcript";
import type { Conversation, Words } from "./types";

export interface Call {
  conversation: Conversation;
  words?: Words;
}

export type Show = "all" | "running" | "notListening" | "ended";

/** The list of calls, merged from events and what was read. */
export class Calls {
  more = false;
  private readonly byId = new Map<string, { call: Call; heardAt: number }>();
  /** Words may come before the first event of their call. */
  private readonly words = new Map<string, { words: Words; heardAt: number }>();
  /** When it was heard that a call is gone. What was asked for before then may still have it. */
  private readonly goneAt = new Map<string, number>();

  /** @param now Of the same clock as `askedAt`. */
  picture(conversation: Conversation, now: number): void {
    const id = conversation.conversationId;
    const known = this.byId.get(id)?.call;
    const words = known?.words ?? this.words.get(id)?.words;
    this.words.delete(id);
    const call = { conversation: newer(known?.conversation, conversation), ...(words && { words }) };
    this.byId.set(id, { call, heardAt: now });
  }

  /** @param now Of the same clock as `askedAt`. */
  said(words: Words, now: number): void {
    const id = words.conversationId;
    const known = this.byId.get(id)?.call;
    const before = known?.words ?? this.words.get(id)?.words;
    if (before && before.at > words.at) return;
    if (known) known.words = words;
    else if (this.words.size < 1000) this.words.set(id, { words, heardAt: now });
  }

  /** @param now Of the same clock as `askedAt`. */
  erased(id: string, now: number): void {
    this.byId.delete(id);
    this.words.delete(id);
    this.goneAt.set(id, now);
  }

  clear(): void {
    this.more = false;
    for (const each of [this.byId, this.words, this.goneAt]) each.clear();
  }

  /**
   * @param askedAt When the request was sent. A call that was heard of since may be missing in the
   *   answer; every other call that is missing is over.
   */
  read(calls: readonly Conversation[], more: boolean, askedAt: number): void {
    this.more = more;
    const listed = new Set(calls.map((each) => each.conversationId));
    for (const known of [this.byId, this.words]) {
      for (const [id, { heardAt }] of known) {
        if (!listed.has(id) && heardAt < askedAt) known.delete(id);
      }
    }
    for (const [id, at] of this.goneAt) if (at < askedAt) this.goneAt.delete(id);
    for (const each of calls) {
      if (!this.goneAt.has(each.conversationId)) this.picture(each, askedAt);
    }
  }

  get running(): number {
    return this.all().filter(({ conversation }) => conversation.state !== "ended").length;
  }

  /** Running calls first, then the newest; so a call stays where it is while somebody reads. */
  shown(show: Show, filter: string): Call[] {
    const wanted = filter.trim().toLowerCase();
    return this.all()
      .filter((call) => is(call.conversation, show) && (!wanted || searched(call).includes(wanted)))
      .sort(
        (a, b) =>
          Number(a.conversation.state === "ended") - Number(b.conversation.state === "ended") ||
          b.conversation.startedAt - a.conversation.startedAt ||
          (a.conversation.conversationId < b.conversation.conversationId ? -1 : 1),
      );
  }

  private all(): Call[] {
    return [...this.byId.values()].map(({ call }) => call);
  }
}

/** The agent who is on the call, or was the last. */
export function agentOf(conversation: Conversation): string {
  return conversation.legs.findLast((leg) => leg.agent)?.agent ?? "";
}

/** The queue of the last leg that has one. */
export function queueOf(conversation: Conversation): string {
  return conversation.legs.findLast((leg) => leg.queue)?.queue ?? "";
}

function is(conversation: Conversation, show: Show): boolean {
  const hasEnded = conversation.state === "ended";
  if (show === "ended") return hasEnded;
  if (show === "notListening") return !hasEnded && !conversation.listening;
  return show === "all" || !hasEnded;
}

function searched({ conversation, words }: Call): string {
  const legs = conversation.legs.flatMap((leg) => [leg.agent, leg.queue]);
  const all = [conversation.conversationId, ...legs, words?.text ?? ""];
  return all.join("\n").toLowerCase();
}
