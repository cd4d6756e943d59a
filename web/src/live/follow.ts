import { Calls } from "../model/calls";
import { Transcript } from "../model/transcript";
import type { CallAnswer, LiveEvent } from "../model/types";
import { pause, WaitingPauses } from "./backoff";
import type { EventsConnection } from "./events";
import { NotFound, Refused, type ReadApi } from "./read";
import { SignedOut } from "./session";

/** Read again while nothing comes for so long. */
const SILENCE_MS = 15_000;
/** Read again so long after a reading, even if events come all the time: one may be lost. */
const LONGEST_MS = 60_000;
/** If a connection takes longer than this, the page reads without it. */
const PATIENCE_MS = 2000;
/** Ask again for a call that was refused: it may begin, or be given to whoever asks. */
const REFUSED_MS = 30_000;
/** A call that has ended is read once more when nothing has come for so long. */
const AFTER_END_MS = 5000;

export type Status = "loading" | "unknown" | "live" | "offline" | "refused" | "erased";

/** The parts that `FollowedCall` and `FollowedCalls` are made of. */
interface Servers {
  events: Pick<EventsConnection, "subscribe">;
  read: Pick<ReadApi, "conversation" | "calls">;
  onSignedOut: () => void;
  /** A call that somebody looks at cannot be read any more: the list forgets it, too. */
  onForgotten?: (conversationId: string) => void;
}

/**
 * What both have in common: subscribe, then read, then merge; read again after each reconnect, and
 * while nothing comes. An event that is lost is late, not lost.
 */
abstract class Followed {
  status: Status = "loading";
  protected readonly ended = new AbortController();
  private isSubscribed = false;
  private unsubscribe: (() => void) | undefined;
  /** The subscription was refused: asks for it once more. */
  private subscribeAgain: (() => void) | undefined;
  /** While it is not known whether the subscription comes about. */
  private patience: ReturnType<typeof setTimeout> | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private longest: ReturnType<typeof setTimeout> | undefined;
  private reading: Promise<void> | undefined;
  private readAgain: "all" | "rest" | undefined;

  constructor(
    protected readonly servers: Servers,
    /** Something that is shown has changed. */
    protected readonly changed: () => void,
  ) {}

  stop(): void {
    this.ended.abort();
    this.unsubscribe?.();
    clearTimeout(this.patience);
    clearTimeout(this.timer);
    clearTimeout(this.longest);
  }

  /** For when somebody comes back to the page. */
  look(): void {
    if (this.status !== "loading" && this.status !== "unknown") void this.readSoon("rest");
  }

  /** From now on this channel, and no other. */
  protected follow(channel: string): void {
    if (this.ended.signal.aborted) return;
    const leave = this.unsubscribe;
    this.isSubscribed = false;
    this.unsubscribe = this.servers.events.subscribe(channel, {
      onReady: () => {
        this.isSubscribed = true;
        void this.readSoon("all");
      },
      onEvent: (event) => {
        // It may have begun since it was refused. Only a reading says that it may be shown again.
        if (this.status === "refused" && event.type !== "erased") return void this.readSoon("all");
        this.merge(event);
        this.waitForSilence();
        this.changed();
      },
      onDown: () => {
        this.isSubscribed = false;
        this.set("offline");
      },
      // The reading decides. Whoever may not subscribe may not read; whoever may read was refused
      // because the server could not find out who they are.
      onRefused: (again) => {
        this.subscribeAgain = again;
        void this.readSoon("rest");
      },
    });
    leave?.();
    this.patience = setTimeout(() => void this.readSoon("rest"), PATIENCE_MS);
  }

  protected abstract merge(event: LiveEvent): void;
  /** Nothing that may not be read any more stays on the page. */
  protected abstract forget(): void;
  protected abstract readAll(isWhole: boolean): Promise<void>;
  protected abstract get silenceMs(): number | undefined;

  protected set(status: Status): void {
    this.status = status;
    this.changed();
  }

  /** One look at a time; what is asked for meanwhile is one more look. */
  protected async readSoon(what: "all" | "rest"): Promise<void> {
    if (this.reading) {
      this.readAgain = what === "all" ? "all" : (this.readAgain ?? "rest");
      return;
    }
    clearTimeout(this.patience);
    clearTimeout(this.timer);
    clearTimeout(this.longest);
    this.patience = undefined;
    this.reading = this.readNow(what);
    await this.reading;
    this.reading = undefined;
    const again = this.readAgain;
    this.readAgain = undefined;
    if (this.ended.signal.aborted) return;
    if (again) return void this.readSoon(again);
    this.waitForSilence();
    if (this.silenceMs === undefined) return;
    this.longest = setTimeout(() => void this.readSoon("rest"), LONGEST_MS);
  }

  protected waitForSilence(): void {
    clearTimeout(this.timer);
    const ms = this.silenceMs;
    if (ms === undefined || this.ended.signal.aborted) return;
    this.timer = setTimeout(() => {
      this.wasSilent();
      void this.readSoon("rest");
    }, ms);
  }

  /** Nothing has come for `silenceMs`, so it is read now. */
  protected wasSilent(): void {}

  private async readNow(what: "all" | "rest"): Promise<void> {
    try {
      await this.readAll(what === "all");
      if (this.ended.signal.aborted) return;
      this.subscribeAgain?.();
      this.subscribeAgain = undefined;
      // If the reading has led to another channel, that is to come about first.
      if (this.patience === undefined) this.set(this.isSubscribed ? "live" : "offline");
      else this.changed();
    } catch (error) {
      if (this.ended.signal.aborted) return;
      if (error instanceof SignedOut) this.servers.onSignedOut();
      else if (error instanceof NotFound || error instanceof Refused) {
        this.forget();
        this.set("refused");
      } else throw error;
    }
  }
}

/** One call, as long as somebody looks at it. */
export class FollowedCall extends Followed {
  readonly transcript = new Transcript();
  /** When this page had read the call for the first time. */
  joinedAt: number | undefined;
  /** As far as it is known: `id` until the call is read. */
  conversationId: string;
  private after = "";
  private readonly pauses = new WaitingPauses();
  /** Ends the pause before the next look at a contact that nobody knows yet. */
  private waiting = new AbortController();
  /** It has ended, and nothing is expected any more. Only a reading after a silence makes it so. */
  private isOver = false;

  /** @param id Of the conversation, or of any contact of it. */
  constructor(
    servers: Servers,
    readonly id: string,
    changed: () => void,
  ) {
    super(servers, changed);
    this.conversationId = id;
  }

  /** @param isKnown Whether `id` is the conversation's own: then it can be subscribed to at once. */
  async start(isKnown: boolean): Promise<void> {
    if (!isKnown) {
      const answer = await this.lookUp();
      if (!answer) return;
      this.conversationId = answer.conversation.conversationId;
      this.take(answer);
      this.joinedAt = Date.now();
      this.set("live");
    }
    this.follow(`/live/conversations/${this.conversationId}`);
  }

  override look(): void {
    if (this.status !== "unknown") return super.look();
    this.waiting.abort();
  }

  protected merge(event: LiveEvent): void {
    const { transcript } = this;
    if (event.type === "utterance") {
      const { type: _, conversationId: __, ...utterance } = event;
      transcript.told(utterance);
      this.isOver = false;
      if (utterance.textOmitted) void this.readSoon("rest");
    } else if (event.type === "conversation") {
      const { type: _, ...conversation } = event;
      const before = transcript.conversation;
      transcript.picture(conversation);
      // With the verdict come the utterances that were recovered.
      const isNews = before?.state !== "ended" || before.completeness !== conversation.completeness;
      if (isNews) this.isOver = false;
    } else if (event.type === "erased") {
      this.stop();
      this.forget();
      this.set("erased");
    }
  }

  /** It may have been erased while nobody heard of it: then the reading is the first to say so. */
  protected forget(): void {
    this.transcript.erase();
    this.after = "";
    this.isOver = false;
    this.joinedAt = undefined;
    this.servers.onForgotten?.(this.conversationId);
  }

  protected async readAll(isWhole: boolean): Promise<void> {
    // What came late may have moved or replaced what was there.
    const isAll = isWhole || this.hasEnded;
    if (isAll) this.after = "";
    const ids = new Set<string>();
    for (;;) {
      const answer = await this.servers.read.conversation(
        this.conversationId,
        this.after,
        this.ended.signal,
      );
      this.moveTo(answer.conversation.conversationId);
      this.take(answer);
      for (const { id } of answer.utterances) ids.add(id);
      this.after = answer.next;
      if (!answer.more) break;
      this.changed();
    }
    if (isAll) this.transcript.keepOnly(ids);
    this.joinedAt ??= Date.now();
  }

  protected get silenceMs(): number | undefined {
    if (this.status === "refused") return REFUSED_MS;
    if (!this.hasEnded) return SILENCE_MS;
    return this.isOver ? undefined : AFTER_END_MS;
  }

  protected override wasSilent(): void {
    this.isOver = this.hasEnded;
  }

  private get hasEnded(): boolean {
    return this.transcript.conversation?.state === "ended";
  }

  /** Events come by the call's own id only, and somebody may have opened a later contact of it. */
  private moveTo(conversationId: string): void {
    if (conversationId === this.conversationId) return;
    this.conversationId = conversationId;
    this.status = "loading";
    this.follow(`/live/conversations/${conversationId}`);
  }

  private take(answer: CallAnswer): void {
    if (answer.conversation) this.transcript.picture(answer.conversation);
    this.transcript.counts = answer.counts;
    this.transcript.read(answer.utterances);
  }

  /**
   * A call is known when its transcription starts: the page waits for that. A call that is never
   * transcribed is never known, so it asks less and less often.
   */
  private async lookUp(): Promise<CallAnswer | undefined> {
    while (!this.ended.signal.aborted) {
      try {
        return await this.servers.read.conversation(this.id, "", this.ended.signal);
      } catch (error) {
        if (this.ended.signal.aborted) return undefined;
        if (error instanceof NotFound) this.set("unknown");
        else if (error instanceof Refused) return void this.set("refused");
        else if (error instanceof SignedOut) return void this.servers.onSignedOut();
        else throw error;
      }
      this.waiting = new AbortController();
      await pause(this.pauses.next(), this.waiting.signal);
    }
    return undefined;
  }
}

/** The list of calls, for supervisors. */
export class FollowedCalls extends Followed {
  readonly calls = new Calls();

  start(): void {
    this.follow("/live/calls");
  }

  protected merge(event: LiveEvent): void {
    if (event.type === "conversation") {
      const { type: _, ...conversation } = event;
      this.calls.picture(conversation, performance.now());
    } else if (event.type === "words") {
      this.calls.said(event, performance.now());
    } else if (event.type === "erased") {
      this.calls.erased(event.conversationId, performance.now());
    }
  }

  /** One call, of which somebody who looks at it has learned that it is gone. */
  forgetCall(conversationId: string): void {
    this.calls.erased(conversationId, performance.now());
    this.changed();
  }

  protected forget(): void {
    this.calls.clear();
  }

  protected async readAll(): Promise<void> {
    const askedAt = performance.now();
    const { calls, more } = await this.servers.read.calls(this.ended.signal);
    this.calls.read(calls, more, askedAt);
  }

  protected get silenceMs(): number | undefined {
    return this.status === "refused" ? undefined : SILENCE_MS;
  }
}
