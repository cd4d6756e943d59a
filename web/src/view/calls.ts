import { html, nothing, type TemplateResult } from "lit";
import { keyed } from "lit/directives/keyed.js";
import { repeat } from "lit/directives/repeat.js";
import type { FollowedCalls } from "../live/follow";
import { agentOf, queueOf, type Call, type Show } from "../model/calls";
import { speaker } from "../model/document";
import { beginning, pieces, plain } from "../model/text";
import { texts, whyNotListening } from "../texts";
import "./clock";
import { LiveElement } from "./element";

/** Somebody has chosen a call. */
export class OpenCall extends Event {
  constructor(
    readonly conversationId: string,
    readonly isBeside: boolean,
  ) {
    super("open-call");
  }
}

/** The list of calls, for supervisors. */
export class LiveCalls extends LiveElement {
  static override properties = { list: { attribute: false }, opened: { attribute: false } };
  declare list: FollowedCalls;
  declare opened: readonly string[];

  private show: Show = "all";
  private filter = "";

  protected override render() {
    const { calls, status } = this.list;
    const shown = calls.shown(this.show, this.filter);
    const isFiltered = this.show !== "all" || !!this.filter;
    return html`
      <div class="list-head">
        <h2>${texts.calls} <span class="count" role="status">${texts.running(calls.running)}</span></h2>
        <input
          type="search"
          aria-label=${texts.filter}
          placeholder=${texts.filter}
          @input=${(event: Event) => {
            this.filter = (event.target as HTMLInputElement).value;
            this.requestUpdate();
          }}
        />
        <select
          aria-label=${texts.show}
          @change=${(event: Event) => {
            this.show = (event.target as HTMLSelectElement).value as Show;
            this.requestUpdate();
          }}
        >
          <option value="all">${texts.showAll}</option>
          <option value="running">${texts.showRunning}</option>
          <option value="notListening">${texts.showNotListening}</option>
          <option value="ended">${texts.showEnded}</option>
        </select>
      </div>
      ${status === "offline" ? html`<p class="notice"><span class="badge warn">${texts.offline}</span></p>` : nothing}
      ${calls.more ? html`<p class="notice">${texts.moreCalls}</p>` : nothing}
      ${shown.length
        ? html`<ul class="cards" tabindex="-1">
            ${repeat(
              shown,
              ({ conversation }) => conversation.conversationId,
              (call) => this.card(call),
            )}
          </ul>`
        : html`<p class="hint">
            ${status === "loading" ? texts.loading : status === "refused" ? texts.noList : isFiltered ? texts.noMatches : texts.noCalls}
          </p>`}
    `;
  }

  private card({ conversation, words }: Call): TemplateResult {
    const { conversationId, state, listening, notListening, startedAt, legs } = conversation;
    const hasEnded = state === "ended";
    const end = hasEnded ? Math.max(startedAt, ...legs.map((leg) => leg.at)) : NaN;
    const agent = plain(agentOf(conversation)) || texts.nobody;
    const queue = queueOf(conversation);
    const isOpen = this.opened.includes(conversationId);
    const isWrong = !hasEnded && !listening && !["on_hold", "starting"].includes(notListening);
    const stateClass = hasEnded ? "ended" : state === "paused" ? "paused" : "live";
    const open = (isBeside: boolean) => () => this.dispatchEvent(new OpenCall(conversationId, isBeside));
    return html`
      <li class="card ${isOpen ? "open" : ""} ${isWrong ? "wrong" : ""}" data-call=${conversationId}>
        <div class="card-top">
          <button class="card-main" aria-pressed=${isOpen} @click=${open(false)}>
            <span class="sr">${texts.openCallOf}</span> <strong dir="auto">${agent}</strong>
          </button>
          <span class="badge state-${stateClass}"
            >${texts.states[state] ?? plain(state)}
            <live-clock .since=${startedAt} .until=${end}></live-clock
          ></span>
        </div>
        <div class="card-since">
          ${texts.since} ${new Date(startedAt).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}
          ${queue ? html`· ${texts.queue} <span dir="auto">${plain(queue)}</span>` : nothing}
        </div>
        ${isWrong
          ? html`<span class="badge bad">${texts.notListening}: ${plain(whyNotListening(notListening))}</span>`
          : nothing}
        ${keyed(
          // A new element for new words: nothing that is there already moves.
          words?.at,
          html`<div class="card-words" dir="auto">
            ${words
              ? html`<b>${speaker(words.role, "")}:</b> ${pieces(beginning(words.text, 160)).map((piece) => piece.text)}`
              : hasEnded
                ? nothing
                : texts.noWords}
          </div>`,
        )}
        ${isOpen
          ? nothing
          : html`<button class="quiet beside" aria-label=${texts.openBesideCall(agent)} title=${texts.openBeside} @click=${open(true)}>+</button>`}
      </li>
    `;
  }
}

customElements.define("live-calls", LiveCalls);
