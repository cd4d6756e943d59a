import { html } from "lit";
import { duration, machine } from "../model/time";
import { LiveElement } from "./element";

/** How long something lasts, second by second, without anything else being drawn again. */
export class LiveClock extends LiveElement {
  static override properties = { since: { type: Number }, until: { type: Number } };
  declare since: number;
  /** NaN while it goes on. */
  declare until: number;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor() {
    super();
    this.since = 0;
    this.until = NaN;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.timer = setInterval(() => Number.isNaN(this.until) && this.requestUpdate(), 1000);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.timer);
  }

  protected override render() {
    const ms = (Number.isNaN(this.until) ? Date.now() : this.until) - this.since;
    return html`<time datetime=${machine(ms)}>${duration(ms)}</time>`;
  }
}

customElements.define("live-clock", LiveClock);
