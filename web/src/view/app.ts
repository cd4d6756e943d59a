import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { readConfig, type Config } from "../live/config";
import { EventsConnection } from "../live/events";
import { FollowedCall, FollowedCalls } from "../live/follow";
import { ReadApi } from "../live/read";
import { Session } from "../live/session";
import { closeAfterLeaving, signInHere, signInWindow, signOutWindow } from "../live/window";
import type { Contact } from "../live/workspace";
import { plain } from "../model/text";
import { texts } from "../texts";
import "./call";
import "./calls";
import type { OpenCall } from "./calls";
import { LiveElement } from "./element";

/** More columns than these cannot be read. */
const MOST_OPEN = 4;

/** The page: who is signed in, and what is open. */
export class LiveApp extends LiveElement {
  private config: Config | undefined;
  private session: Session | undefined;
  private events: EventsConnection | undefined;
  private read: ReadApi | undefined;
  private list: FollowedCalls | undefined;
  private open: FollowedCall[] = [];
  private contact: Contact | undefined;
  private problem = "";
  /** What there is to say in the window of a sign-in. */
  private windowSays = "";
  private isDue = false;

  override connectedCallback(): void {
    super.connectedCallback();
    document.title = texts.title;
    addEventListener("hashchange", () => this.session?.user && this.openFromAddress());
    addEventListener("online", () => this.events?.hurry());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState !== "visible") return;
      this.events?.hurry();
      this.list?.look();
      for (const call of this.open) call.look();
    });
    void this.begin();
  }

  private async begin(): Promise<void> {
    try {
      this.config = await readConfig();
    } catch {
      this.problem = texts.noConfig;
      this.requestUpdate();
      return;
    }
    const session = new Session(this.config.signIn);
    try {
      await session.comeBack();
    } catch {
      this.problem = texts.signInFailed;
    }
    closeAfterLeaving();
    this.session = session;
    const window = new URLSearchParams(location.search).get("signin");
    if (window && !this.problem) {
      const outcome = signInHere(session, window);
      if (outcome) this.windowSays = outcome === "done" ? texts.windowDone : texts.windowAlone;
      this.requestUpdate();
      return;
    }
    if (this.isWorkspace) void this.joinWorkspace();
    this.connect();
  }

  private async joinWorkspace(): Promise<void> {
    const { followWorkspace } = await import("../live/workspace");
    followWorkspace(
      (contact) => {
        this.contact = contact;
        this.problem = "";
        this.openContact();
      },
      () => {
        this.problem = texts.noWorkspace;
        this.requestUpdate();
      },
    );
  }

  /** Once somebody is signed in. */
  private connect(): void {
    const { config, session } = this;
    if (config && session?.user) {
      const signedOut = () => this.end(texts.signInExpired);
      const read = new ReadApi(config.readUrl, session);
      const events = new EventsConnection(config.events, session, signedOut);
      [this.read, this.events] = [read, events];
      if (this.isWorkspace) this.openContact();
      else {
        if (session.user.isSupervisor) {
          this.list = new FollowedCalls({ events, read, onSignedOut: signedOut }, () => this.soon());
          this.list.start();
        }
        this.openFromAddress();
      }
    }
    this.requestUpdate();
  }

  private end(why: string): void {
    this.list?.stop();
    for (const call of this.open) call.stop();
    this.events?.close();
    this.events = this.read = this.list = undefined;
    this.open = [];
    this.session?.forget();
    this.problem = why;
    this.requestUpdate();
  }

  private async signIn(): Promise<void> {
    this.problem = "";
    if (!this.isFramed) {
      await this.session!.signIn();
      return;
    }
    try {
      await signInWindow(this.session!);
      this.connect();
    } catch {
      this.problem = texts.signInBlocked;
      this.requestUpdate();
    }
  }

  private signOut(): void {
    this.end(texts.signedOut);
    if (this.isFramed) signOutWindow();
    else this.session!.leave();
  }

  /** Asked for when the sign-in has put the address right again. */
  private get isWorkspace(): boolean {
    return new URLSearchParams(location.search).get("home") === "workspace";
  }

  private get isFramed(): boolean {
    return window.parent !== window;
  }

  // What is open

  private openFromAddress(): void {
    const ids = new URLSearchParams(location.hash.slice(1)).get("calls") ?? "";
    this.show(ids.split(",").filter(Boolean).slice(0, MOST_OPEN));
  }

  private openContact(): void {
    if (this.events) this.show(this.contact?.isCall ? [this.contact.id] : []);
    this.requestUpdate();
  }

  private choose({ conversationId, isBeside }: OpenCall): void {
    const ids = this.open.map((call) => call.id);
    if (!isBeside) this.address([conversationId]);
    else this.address([...ids.slice(0, MOST_OPEN - 1), conversationId]);
  }

  /** The address keeps what is open, so that it is there again after the page is loaded again. */
  private address(ids: readonly string[]): void {
    const hash = ids.length ? `#calls=${ids.map(encodeURIComponent).join(",")}` : "#";
    history.replaceState(null, "", location.pathname + location.search + hash);
    this.show(ids);
  }

  private show(ids: readonly string[]): void {
    const { events, read } = this;
    if (!events || !read) return;
    const servers = {
      events,
      read,
      onSignedOut: () => this.end(texts.signInExpired),
      onForgotten: (conversationId: string) => this.list?.forgetCall(conversationId),
    };
    const kept = this.open.filter((call) => ids.includes(call.id));
    for (const call of this.open) if (!kept.includes(call)) call.stop();
    const isKnown = !this.isWorkspace && !!this.session?.user?.isSupervisor;
    this.open = ids.map((id) => {
      const known = kept.find((call) => call.id === id);
      if (known) return known;
      const call = new FollowedCall(servers, id, () => this.soon());
      void call.start(isKnown);
      return call;
    });
    this.requestUpdate();
  }

  /** Everything that comes within a frame is drawn together. */
  private soon(): void {
    if (this.isDue) return;
    this.isDue = true;
    const draw = () => {
      if (!this.isDue) return;
      this.isDue = false;
      this.requestUpdate();
      for (const each of this.querySelectorAll<LiveElement>("live-call, live-calls")) each.requestUpdate();
    };
    requestAnimationFrame(draw);
    // A page in the background has no frames, but its title and its reader may want the news.
    setTimeout(draw, 500);
  }

  // What is shown

  protected override render(): TemplateResult {
    if (this.windowSays) return html`<main class="center"><p role="status">${this.windowSays}</p></main>`;
    const user = this.session?.user;
    if (!this.session) return html`<main class="center"><p role="status">${this.problem || texts.loading}</p></main>`;
    if (this.contact?.isCall === false) return html`<main class="center"><p>${texts.noCall}</p></main>`;
    if (!user) return this.door();
    return html`
      <header class="bar">
        <h1>${texts.title}</h1>
        <span class="spring"></span>
        <span class="user" dir="auto">${plain(user.name)}</span>
        <button class="quiet" @click=${this.signOut}>${texts.signOut}</button>
      </header>
      <div class="page ${this.list ? "with-list" : ""}">
        ${this.list
          ? html`<aside class="list" aria-label=${texts.calls}>
              <live-calls
                .list=${this.list}
                .opened=${this.open.map((call) => call.conversationId)}
                @open-call=${this.choose}
              ></live-calls>
            </aside>`
          : nothing}
        <main class="columns">
          ${repeat(
            this.open,
            (call) => call.id,
            (call) =>
              html`<live-call
                .call=${call}
                ?closable=${!this.isWorkspace}
                @close=${() => this.address(this.open.map(({ id }) => id).filter((id) => id !== call.id))}
              ></live-call>`,
          )}
          ${this.open.length ? nothing : html`<p class="hint">${this.problem || this.invitation}</p>`}
        </main>
      </div>
    `;
  }

  private get invitation(): string {
    if (this.isWorkspace) return texts.noContact;
    return this.list ? texts.nothingOpen : texts.noList;
  }

  private door(): TemplateResult {
    return html`
      <main class="center door">
        <h1>${texts.title}</h1>
        <p role="status">${this.problem}</p>
        <p>${texts.signInWhy} ${this.isFramed ? texts.signInWindow : nothing}</p>
        <button class="primary" @click=${this.signIn}>${texts.signIn}</button>
      </main>
    `;
  }
}

customElements.define("live-app", LiveApp);
