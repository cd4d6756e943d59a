import { html, nothing, type TemplateResult } from "lit";
import { guard } from "lit/directives/guard.js";
import { repeat } from "lit/directives/repeat.js";
import { FollowedCall } from "../live/follow";
import { agentOf, queueOf } from "../model/calls";
import { asText, fileName, legText, speaker } from "../model/document";
import { beginning, contains, pieces, plain } from "../model/text";
import { duration, machine } from "../model/time";
import { timeline, type Entry } from "../model/timeline";
import type { Utterance } from "../model/types";
import { texts, whyNotListening } from "../texts";
import "./clock";
import { LiveElement } from "./element";

type UtteranceEntry = Extract<Entry, { kind: "utterance" }>;

/** More of an utterance is shown when somebody asks for it. */
const FOLD_AT = 1500;
/** Nearer to the end than this is at the end. */
const AT_END_PX = 40;

/** One call: its head, what was said, and tools for it. */
export class LiveCall extends LiveElement {
  static override properties = { call: { attribute: false }, closable: { type: Boolean } };
  declare call: FollowedCall | undefined;
  declare closable: boolean;

  private entries: Entry[] = [];
  private follows = true;
  private unseen = 0;
  private last = "";
  private find = "";
  private found: string[] = [];
  private foundAt = 0;
  private whole = new Set<string>();
  private copied = "";
  private spoken = "";
  private lastTop = 0;
  private readonly resized = new ResizeObserver(() => this.stayAtEnd());

  constructor() {
    super();
    this.closable = false;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.resized.disconnect();
  }

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has("call")) {
      this.follows = true;
      this.unseen = 0;
      this.last = this.spoken = "";
      this.whole = new Set();
    }
    const { call } = this;
    if (!call) return;
    const { transcript, joinedAt } = call;
    this.entries = timeline(transcript.conversation, transcript.utterances, joinedAt);
    this.search();
    this.announce(transcript.utterances, joinedAt);
  }

  protected override update(changed: Map<string, unknown>): void {
    const anchor = this.follows ? undefined : this.firstInView();
    const before = anchor?.getBoundingClientRect().top;
    super.update(changed);
    if (anchor?.isConnected) this.scroller!.scrollTop += anchor.getBoundingClientRect().top - before!;
  }

  protected override updated(): void {
    const list = this.querySelector(".entries");
    if (list) {
      this.resized.observe(list);
      this.resized.observe(this.scroller!);
    }
    this.stayAtEnd();
  }

  protected override render() {
    const { call } = this;
    if (!call) return html`<p class="hint">${texts.noContact}</p>`;
    return html`
      <div class="call" role="group" aria-label=${texts.transcript(this.agent || texts.nobody)}>
        ${this.head(call)} ${this.entries.length ? this.tools() : nothing} ${this.body(call)}
        <div class="sr" aria-live="polite">${this.spoken}</div>
      </div>
    `;
  }

  private get agent(): string {
    const conversation = this.call?.transcript.conversation;
    return conversation ? plain(agentOf(conversation)) : "";
  }

  private get scroller(): HTMLElement | null {
    return this.querySelector(".scroller");
  }

  private get startedAt(): number {
    const { transcript } = this.call!;
    return transcript.conversation?.startedAt || transcript.utterances[0]?.at || 0;
  }

  private head(call: FollowedCall): TemplateResult {
    const { conversation } = call.transcript;
    const isGone = call.status === "refused" || call.status === "erased";
    const id = isGone ? "" : plain(conversation?.conversationId ?? call.id);
    const queue = conversation ? queueOf(conversation) : "";
    return html`
      <header class="call-head">
        <div class="call-title">
          <h2 dir="auto">${this.agent ? texts.agentNamed(this.agent) : texts.contact}</h2>
          ${conversation ? this.badges(call) : nothing}
          <span class="spring"></span>
          ${this.closable
            ? html`<button class="quiet" @click=${() => this.dispatchEvent(new Event("close"))}>
                ${texts.close}
              </button>`
            : nothing}
        </div>
        <div class="call-facts">
          ${queue ? html`<span>${texts.queue} <span dir="auto">${plain(queue)}</span></span>` : nothing}
          <span class="id" title=${id}>${id}</span>
        </div>
        <div class="call-status" role="status">${this.notice(call)}</div>
      </header>
    `;
  }

  private badges(call: FollowedCall): TemplateResult {
    const conversation = call.transcript.conversation!;
    const hasEnded = conversation.state === "ended";
    const end = hasEnded ? Math.max(...conversation.legs.map((leg) => leg.at), conversation.startedAt) : NaN;
    return html`
      <span class="badge state-${hasEnded ? "ended" : conversation.state === "paused" ? "paused" : "live"}"
        >${texts.states[conversation.state] ?? plain(conversation.state)}
        <live-clock .since=${conversation.startedAt} .until=${end}></live-clock
      ></span>
    `;
  }

  /** One line that is always there, so that nothing moves when its words change. */
  private notice(call: FollowedCall): TemplateResult {
    const { conversation, counts, utterances } = call.transcript;
    if (call.status === "loading") return html`${texts.loading}`;
    if (call.status === "offline") return html`<span class="badge warn">${texts.offline}</span>`;
    if (!conversation) return html``;
    if (conversation.state === "ended") {
      const verdict = texts.completeness[conversation.completeness] ?? plain(conversation.completeness);
      const kind = conversation.completeness === "complete" ? "good" : "neutral";
      return html`<span class="badge ${kind}">${verdict}</span>
        ${texts.counts(utterances.length, counts?.recovered ?? 0, counts?.unverified ?? 0)}`;
    }
    if (conversation.listening) return html`<span class="badge good">${texts.listening}</span>`;
    const why = plain(whyNotListening(conversation.notListening));
    const kind = ["on_hold", "starting"].includes(conversation.notListening) ? "neutral" : "bad";
    return html`<span class="badge ${kind}">${texts.notListening}: ${why}</span>`;
  }

  private tools(): TemplateResult {
    const count = this.found.length;
    return html`
      <div class="tools">
        <input
          type="search"
          aria-label=${texts.search}
          placeholder=${texts.search}
          .value=${this.find}
          @input=${(event: Event) => this.startSearch((event.target as HTMLInputElement).value)}
          @keydown=${(event: KeyboardEvent) => {
            if (event.key === "Enter") this.step(event.shiftKey ? -1 : 1);
            else if (event.key === "Escape") this.startSearch("");
          }}
        />
        <span class="matches" role="status"
          >${this.find ? texts.matches(this.foundAt + 1, count) : ""}</span
        >
        <button class="quiet icon" aria-label=${texts.previousMatch} ?disabled=${!count} @click=${() => this.step(-1)}>↑</button>
        <button class="quiet icon" aria-label=${texts.nextMatch} ?disabled=${!count} @click=${() => this.step(1)}>↓</button>
        <span class="spring"></span>
        <button class="quiet" @click=${this.copy}>${this.copied || texts.copy}</button>
        <button class="quiet" @click=${this.download}>${texts.download}</button>
      </div>
    `;
  }

  private body(call: FollowedCall): TemplateResult {
    if (call.status === "unknown") return html`<p class="hint">${texts.waiting}</p>`;
    if (call.status === "refused") return html`<p class="hint">${texts.notYours}</p>`;
    if (call.status === "erased") return html`<p class="hint">${texts.erased}</p>`;
    const isEmpty = !this.entries.some((entry) => entry.kind === "utterance");
    const newest = this.newestKey;
    const current = this.found[this.foundAt];
    return html`
      <div class="transcript">
        <div class="scroller" tabindex="0" role="group" aria-label=${texts.said} @scroll=${this.scrolled}>
          <ol class="entries">
            ${repeat(
              this.entries,
              (entry) => entry.key,
              (entry) => this.row(entry, entry.key === newest, entry.key === current),
            )}
          </ol>
          ${isEmpty && call.status !== "loading" ? html`<p class="hint">${texts.empty}</p>` : nothing}
        </div>
        <button class="to-newest" ?hidden=${this.follows} @click=${this.toNewest}>
          ↓ ${this.unseen ? texts.toNewestNew(this.unseen) : texts.toNewest}
        </button>
      </div>
    `;
  }

  /** The utterance that is the current one while the call goes on. */
  private get newestKey(): string {
    if (this.call?.transcript.conversation?.state === "ended") return "";
    return this.entries.findLast((entry) => entry.kind === "utterance")?.key ?? "";
  }

  private row(entry: Entry, isNewest: boolean, isCurrentMatch: boolean): unknown {
    const content = entry.kind === "utterance" ? entry.utterance : JSON.stringify(entry);
    const [begins, agent] = entry.kind === "utterance" ? [entry.begins, entry.agent] : [];
    const isWhole = this.whole.has(entry.key);
    return guard(
      [content, begins, agent, isNewest, isCurrentMatch, this.find, isWhole, this.startedAt],
      () =>
        entry.kind === "utterance"
          ? this.utterance(entry, isNewest, isCurrentMatch, isWhole)
          : this.mark(entry),
    );
  }

  private mark(entry: Exclude<Entry, UtteranceEntry>): TemplateResult {
    const time = html`<time datetime=${machine(entry.at - this.startedAt)}>${duration(entry.at - this.startedAt)}</time>`;
    switch (entry.kind) {
      case "leg":
        return html`<li class="mark leg"><h3 dir="auto">${plain(legText(entry))}</h3>${time}</li>`;
      case "hold":
        return html`<li class="mark band hold"><span>${texts.onHold}</span>${time}</li>`;
      case "resume":
        return html`<li class="mark band"><span>${texts.resumed(duration(entry.lasted))}</span>${time}</li>`;
      case "joined":
        return html`<li class="mark joined"><span>${texts.joined}</span></li>`;
      case "end":
        return html`<li class="mark leg"><span>${texts.callEnded}</span>${time}</li>`;
    }
  }

  private utterance(
    { utterance, agent, begins, at }: UtteranceEntry,
    isNewest: boolean,
    isCurrentMatch: boolean,
    isWhole: boolean,
  ): TemplateResult {
    const { role, text } = utterance;
    const who = plain(speaker(role, agent));
    const classes = [
      "utterance",
      role === "customer" || role === "agent" ? role : "unknown",
      begins ? "begins" : "",
      isNewest ? "newest" : "",
      isCurrentMatch ? "current-match" : "",
    ];
    return html`
      <li class=${classes.filter(Boolean).join(" ")} data-key=${utterance.id}>
        <div class="who ${begins ? "" : "sr"}" dir="auto">${who}</div>
        <div class="said">
          <time datetime=${machine(at - this.startedAt)}>${duration(at - this.startedAt)}</time>
          <div class="words">
            <p dir="auto">${utterance.textOmitted ? html`<em>${texts.textComes}</em>` : this.words(text, isWhole)}</p>
            ${text.length > FOLD_AT ? this.folding(utterance, isWhole) : nothing} ${this.chips(utterance)}
          </div>
        </div>
      </li>
    `;
  }

  private words(text: string, isWhole: boolean): unknown {
    const shown = isWhole ? text : beginning(text, FOLD_AT);
    const parts = pieces(shown, this.find).map((piece) => {
      switch (piece.kind) {
        case "plain":
          return piece.text;
        case "found":
          return html`<mark>${piece.text}</mark>`;
        case "control":
          return html`<span class="control" title=${texts.control}>${piece.text}</span>`;
        case "redacted":
          return html`<span class="redacted" title=${texts.redactedWhy}
            ><span aria-hidden="true">${piece.text}</span><span class="sr">${texts.redacted}</span></span
          >`;
      }
    });
    return html`${parts}${shown.length < text.length ? " …" : nothing}`;
  }

  private folding({ id, text }: Utterance, isWhole: boolean): TemplateResult {
    const toggle = () => {
      if (isWhole) this.whole.delete(id);
      else this.whole.add(id);
      this.requestUpdate();
    };
    return html`<button class="link" aria-expanded=${isWhole} @click=${toggle}>
      ${isWhole ? texts.showLess : texts.showWhole(text.length)}
    </button>`;
  }

  private chips({ source, verified, malformed }: Utterance): unknown {
    const chip = (text: string, why: string) => html`<span class="chip" title=${why}>${text}</span>`;
    const all = [
      source === "webhook" ? nothing : chip(texts.recovered, texts.recoveredWhy),
      verified ? nothing : chip(texts.unverified, texts.unverifiedWhy),
      malformed?.length ? chip(texts.malformed, texts.malformedWhy(plain(malformed.join(", ")))) : nothing,
    ];
    return all.every((each) => each === nothing) ? nothing : html`<div class="chips">${all}</div>`;
  }

  // Reading along

  /** What somebody reads: it stays where it is when something is put in above it. */
  private firstInView(): Element | undefined {
    const rows = this.querySelector(".entries")?.children;
    if (!rows?.length) return undefined;
    const top = this.scroller!.getBoundingClientRect().top;
    let [low, high] = [0, rows.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle]!.getBoundingClientRect().bottom > top) high = middle;
      else low = middle + 1;
    }
    return rows[low];
  }

  private stayAtEnd(): void {
    const { scroller } = this;
    if (!scroller || !this.follows) return;
    scroller.scrollTop = scroller.scrollHeight;
    this.lastTop = scroller.scrollTop;
  }

  /** Only somebody who scrolls moves it up and away from the end. */
  private scrolled(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller!;
    const isAtEnd = scrollHeight - scrollTop - clientHeight < AT_END_PX;
    const before = this.follows;
    if (isAtEnd) {
      this.follows = true;
      this.unseen = 0;
    } else if (scrollTop < this.lastTop) {
      this.follows = false;
    }
    this.lastTop = scrollTop;
    if (before !== this.follows) this.requestUpdate();
  }

  private toNewest(): void {
    this.follows = true;
    this.unseen = 0;
    this.requestUpdate();
    this.scroller?.focus();
  }

  /** Tells a screen reader what is new, and counts it for somebody who reads further up. */
  private announce(utterances: readonly Utterance[], joinedAt: number | undefined): void {
    const newest = utterances.at(-1);
    if (!newest) {
      this.last = this.spoken = "";
      this.unseen = 0;
    }
    if (!newest || joinedAt === undefined) return;
    if (newest.id !== this.last && this.last) {
      const from = utterances.findLastIndex((each) => each.id === this.last);
      if (!this.follows) this.unseen += utterances.length - 1 - from;
      const entry = this.entries.findLast((each): each is UtteranceEntry => each.kind === "utterance");
      const words = pieces(beginning(newest.text, 300)).map((piece) =>
        piece.kind === "redacted" ? texts.redacted : piece.text,
      );
      this.spoken = texts.says(plain(speaker(newest.role, entry?.agent ?? "")), words.join(""));
    }
    this.last = newest.id;
  }

  // Search

  private startSearch(find: string): void {
    this.find = find;
    this.found = [];
    this.search();
    this.requestUpdate();
    if (this.found.length) this.show();
  }

  private search(): void {
    const current = this.found[this.foundAt];
    this.found = [];
    if (this.find) {
      for (const entry of this.entries) {
        if (entry.kind === "utterance" && contains(entry.utterance.text, this.find)) this.found.push(entry.key);
      }
    }
    const at = current === undefined ? -1 : this.found.indexOf(current);
    this.foundAt = at >= 0 ? at : Math.max(0, this.found.length - 1); // the newest first
  }

  private step(by: number): void {
    const count = this.found.length;
    if (!count) return;
    this.foundAt = (this.foundAt + by + count) % count;
    this.requestUpdate();
    this.show();
  }

  private show(): void {
    const key = this.found[this.foundAt]!;
    const { text } = this.call!.transcript.utterances.find(({ id }) => id === key)!;
    if (!contains(beginning(text, FOLD_AT), this.find)) this.whole.add(key);
    this.follows = false;
    void this.updateComplete.then(() => {
      const mark = this.querySelector(".current-match mark") ?? this.querySelector(".current-match");
      mark?.scrollIntoView({ block: "center" });
    });
  }

  // Taking it along

  private get text(): string {
    return asText(this.call!.transcript.conversation, this.entries);
  }

  private async copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(this.text);
      this.copied = texts.copied;
    } catch {
      this.copied = texts.copyFailed;
    }
    this.requestUpdate();
    setTimeout(() => {
      this.copied = "";
      this.requestUpdate();
    }, 2000);
  }

  private download(): void {
    const url = URL.createObjectURL(new Blob([this.text], { type: "text/plain;charset=utf-8" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = fileName(this.call!.transcript.conversation?.conversationId ?? this.call!.id);
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }
}

customElements.define("live-call", LiveCall);
