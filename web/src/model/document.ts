import { texts, whyNotListening } from "../texts";
import { plain } from "./text";
import { duration } from "./time";
import type { Entry } from "./timeline";
import type { Conversation } from "./types";

/**
 * A call as text, to copy or to keep. Each line that begins with a time is ours: whatever a stranger
 * says in several lines is moved to the right, so that nobody can put words into another's mouth.
 */
export function asText(conversation: Conversation | undefined, entries: readonly Entry[]): string {
  const start = conversation?.startedAt || entries[0]?.at || 0;
  const lines: string[] = [];
  if (conversation) {
    lines.push(texts.fileHeader(plain(conversation.conversationId), new Date(start).toISOString()));
    if (conversation.state === "ended") {
      lines.push(texts.completeness[conversation.completeness] ?? plain(conversation.completeness));
    } else if (!conversation.listening) {
      lines.push(`${texts.notListening}: ${plain(whyNotListening(conversation.notListening))}`);
    }
    lines.push("");
  }
  for (const entry of entries) {
    const words = wordsOf(entry);
    if (words) lines.push(`[${duration(entry.at - start)}] ${words}`);
  }
  return `${lines.join("\n")}\n`;
}

function wordsOf(entry: Entry): string {
  switch (entry.kind) {
    case "utterance": {
      const { role, text, source, verified } = entry.utterance;
      const who = speaker(role, entry.agent);
      const marks = [source === "webhook" ? "" : texts.recovered, verified ? "" : texts.unverified];
      const mark = marks.filter(Boolean).join(", ");
      return `${plain(who)}${mark && ` (${mark})`}: ${plain(text).replaceAll("\n", "\n        ")}`;
    }
    case "leg":
      return `— ${plain(legText(entry))}`;
    case "hold":
      return `— ${texts.onHold}`;
    case "resume":
      return `— ${texts.resumed(duration(entry.lasted))}`;
    case "end":
      return `— ${texts.callEnded}`;
    case "joined":
      return "";
  }
}

export function speaker(role: string, agent: string): string {
  if (role === "agent") return texts.agentNamed(agent);
  return role === "customer" ? texts.roles.customer : texts.roles.unknown;
}

export function legText(entry: { agent: string; isTransfer: boolean }): string {
  return entry.isTransfer ? texts.transferred(entry.agent) : texts.callBegins(entry.agent);
}

/** A name that no file system takes for anything else. */
export function fileName(conversationId: string): string {
  return `call-${conversationId.replace(/[^A-Za-z0-9-]/g, "_").slice(0, 60) || "unknown"}.txt`;
}
