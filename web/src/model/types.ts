/** What the servers tell: docs/live.md. Times are milliseconds since 1970. */

export type Role = "customer" | "agent" | "unknown";

export interface Utterance {
  id: string;
  role: Role;
  at: number;
  endAt: number;
  text: string;
  /** `webhook`, or `messages` or `export` if it was recovered after the call. */
  source: string;
  verified: boolean;
  storedAt: number;
  malformed?: string[];
  /** The text is too long for an event, and comes with the next look. */
  textOmitted?: boolean;
}

export interface Hold {
  from: number;
  /** null: it goes on. */
  to: number | null;
}

export interface Leg {
  contactId: string;
  agent: string;
  /** The queue from which the agent took the call. */
  queue: string;
  state: "connected" | "paused" | "ended";
  from: number;
  at: number;
  holds: Hold[];
}

export interface Conversation {
  conversationId: string;
  version: number;
  /** `streaming`, `paused`, `ended`, or "" if only utterances are known. */
  state: string;
  listening: boolean;
  notListening: string;
  startedAt: number;
  changedAt: number;
  completeness: string;
  legs: Leg[];
}

export interface Counts {
  fromWebhook: number;
  recovered: number;
  unverified: number;
}

export interface Words {
  conversationId: string;
  role: Role;
  at: number;
  text: string;
}

export interface CallAnswer {
  conversation: Conversation;
  counts: Counts;
  utterances: Utterance[];
  more: boolean;
  next: string;
}

export interface ListAnswer {
  at: number;
  more: boolean;
  calls: Conversation[];
}

export type LiveEvent =
  | ({ type: "utterance"; conversationId: string } & Utterance)
  | ({ type: "conversation" } & Conversation)
  | ({ type: "words" } & Words)
  | { type: "erased"; conversationId: string };
