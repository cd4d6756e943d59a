import { LitElement } from "lit";

/** In the document's own tree: one style sheet, and the browser's own search finds everything. */
export abstract class LiveElement extends LitElement {
  protected override createRenderRoot(): HTMLElement {
    return this;
  }
}
