/**
 * An utterance is what a stranger said. Here it is cut into pieces that are shown as text, each of
 * its kind; nothing of it is ever markup, a link or a control of the screen.
 */
export type Piece =
  | { kind: "plain"; text: string }
  | { kind: "redacted"; text: string }
  | { kind: "control"; text: string }
  | { kind: "found"; text: string };

/** ASAPP writes what it has redacted as `####`, or as a name in brackets: `[CARD]`. */
const REDACTED = /#{2,}(?:[ -]#{2,})*|\[[A-Z][A-Z0-9_ ]{1,38}\]/;
/**
 * Controls (but the line feed and the tab), line separators, the order of bidirectional text
 * (embeddings, overrides, isolates), a byte order mark, what is invisible and no part of a word,
 * and halves of characters. Joiners and single marks of direction stay: scripts and emoji use them.
 */
const CONTROL =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u2028\u2029\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\p{Surrogate}/u;
const SPECIAL = new RegExp(`(?<redacted>${REDACTED.source})|(?<control>${CONTROL.source})`, "gu");

/** `⟨U+202E⟩` */
export function visible(control: string): string {
  return `⟨U+${control.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}⟩`;
}

/** Text without anything that a screen or a terminal obeys. */
export function plain(text: string): string {
  return text.replace(new RegExp(CONTROL.source, "gu"), visible);
}

/** @param find What is searched for; in any case of letters. */
export function pieces(text: string, find = ""): Piece[] {
  const found: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(SPECIAL)) {
    if (match.index > end) found.push({ kind: "plain", text: text.slice(end, match.index) });
    const isControl = match.groups!["control"] !== undefined;
    found.push(
      isControl
        ? { kind: "control", text: visible(match[0]) }
        : { kind: "redacted", text: match[0] },
    );
    end = match.index + match[0].length;
  }
  if (end < text.length) found.push({ kind: "plain", text: text.slice(end) });
  return find ? found.flatMap((piece) => (piece.kind === "plain" ? marked(piece.text, find) : piece)) : found;
}

/** Whether it is in the text as shown. */
export function contains(text: string, find: string): boolean {
  return matcher(find).test(text);
}

function marked(text: string, find: string): Piece[] {
  const parts: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(matcher(find))) {
    if (match.index > end) parts.push({ kind: "plain", text: text.slice(end, match.index) });
    parts.push({ kind: "found", text: match[0] });
    end = match.index + match[0].length;
  }
  if (end < text.length) parts.push({ kind: "plain", text: text.slice(end) });
  return parts;
}

function matcher(find: string): RegExp {
  return new RegExp(find.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "giu");
}

/**
 * The beginning of a long text, cut between two characters as people see them, if the browser knows
 * them.
 */
export function beginning(text: string, length: number): string {
  if (text.length <= length) return text;
  const near = text.slice(Math.max(0, length - 64), length + 64);
  const cuts = Array.from(new Intl.Segmenter().segment(near), (part) => part.index);
  const start = Math.max(0, length - 64);
  const cut = cuts.filter((index) => start + index <= length).pop() ?? length - start;
  return text.slice(0, start + cut);
}
