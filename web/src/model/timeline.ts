import type { Conversation, Utterance } from "./types";

/** What one row of the transcript shows. `key` stays the same as long as it is the same row. */
export type Entry =
  | { kind: "utterance"; key: string; at: number; utterance: Utterance; agent: string; begins: boolean }
  | { kind: "leg"; key: string; at: number; agent: string; isTransfer: boolean }
  | { kind: "hold"; key: string; at: number }
  | { kind: "resume"; key: string; at: number; lasted: number }
  | { kind: "joined"; key: string; at: number }
  | { kind: "end"; key: string; at: number };

/** Speaker and time are said again after so long a pause. */
const LONG_PAUSE_MS = 60_000;

/**
 * The rows of a call, in the order of time.
 *
 * @param utterances In the order in which they were spoken.
 * @param joinedAt When this page began to listen; what is older is marked off as earlier.
 */
export function timeline(
  conversation: Conversation | undefined,
  utterances: readonly Utterance[],
  joinedAt?: number,
): Entry[] {
  const marks = marksOf(conversation);
  const legs = conversation?.legs ?? [];
  const isEarlier = joinedAt !== undefined && utterances.some((each) => each.at < joinedAt);
  if (isEarlier && conversation?.state !== "ended") {
    marks.push({ kind: "joined", key: "joined", at: joinedAt });
  }
  // A mark is before what is said at the same moment, but the end is after it.
  marks.sort((a, b) => a.at - b.at);
  const entries: Entry[] = [];
  let next = 0;
  let leg = 0;
  let before: Utterance | undefined;
  for (const utterance of utterances) {
    while (next < marks.length && marks[next]!.at <= utterance.at && marks[next]!.kind !== "end") {
      entries.push(marks[next++]!);
      before = undefined;
    }
    while (leg + 1 < legs.length && legs[leg + 1]!.from <= utterance.at) leg++;
    const begins =
      !before || before.role !== utterance.role || utterance.at - before.at > LONG_PAUSE_MS;
    entries.push({
      kind: "utterance",
      key: utterance.id,
      at: utterance.at,
      utterance,
      agent: utterance.role === "agent" ? (legs[leg]?.agent ?? "") : "",
      begins,
    });
    before = utterance;
  }
  return entries.concat(marks.slice(next));
}

function marksOf(conversation: Conversation | undefined): Entry[] {
  if (!conversation) return [];
  const marks: Entry[] = [];
  conversation.legs.forEach((leg, index) => {
    const { contactId, agent, from } = leg;
    marks.push({ kind: "leg", key: `leg/${index}/${contactId}`, at: from, agent, isTransfer: index > 0 });
    for (const hold of leg.holds) {
      const key = `${index}/${hold.from}`;
      marks.push({ kind: "hold", key: `hold/${key}`, at: hold.from });
      if (hold.to !== null) {
        marks.push({ kind: "resume", key: `resume/${key}`, at: hold.to, lasted: hold.to - hold.from });
      }
    }
  });
  if (conversation.state === "ended") {
    const at = Math.max(conversation.startedAt, ...conversation.legs.map((leg) => leg.at));
    marks.push({ kind: "end", key: "end", at });
  }
  return marks;
}
