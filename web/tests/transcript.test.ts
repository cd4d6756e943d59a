import assert from "node:assert/strict";
import { test } from "node:test";
import { Calls, queueOf } from "../src/model/calls";
import { asText, fileName } from "../src/model/document";
import { beginning, contains, pieces, plain } from "../src/model/text";
import { duration } from "../src/model/time";
import { timeline } from "../src/model/timeline";
import { Transcript } from "../src/model/transcript";
import type { Conversation, Utterance } from "../src/model/types";

const START = 1_795_413_005_000;

function utterance(id: string, more: Partial<Utterance> = {}): Utterance {
  return {
    id,
    role: "customer",
    at: START,
    endAt: START,
    text: id,
    source: "webhook",
    verified: true,
    storedAt: START,
    ...more,
  };
}

function conversation(more: Partial<Conversation> = {}): Conversation {
  return {
    conversationId: "call-1",
    version: 1,
    state: "streaming",
    listening: true,
    notListening: "",
    startedAt: START,
    changedAt: START,
    completeness: "",
    legs: [{ contactId: "call-1", agent: "jane", queue: "", state: "connected", from: START, at: START, holds: [] }],
    ...more,
  };
}

const ids = (transcript: Transcript) => transcript.utterances.map(({ id }) => id);

test("utterances are in the order of their time, end and id, however they came", () => {
  const all = [
    utterance("d", { at: START + 2 }),
    utterance("b", { at: START + 1, endAt: START + 1 }),
    utterance("c", { at: START + 1, endAt: START + 2 }),
    utterance("a", { at: START + 1, endAt: START + 1 }),
  ];
  const transcript = new Transcript();
  for (const each of all) transcript.told(each);
  assert.deepEqual(ids(transcript), ["a", "b", "c", "d"]);
});

test("an utterance that comes twice, by event and by reading, is there once", () => {
  const transcript = new Transcript();
  transcript.told(utterance("a"));
  transcript.read([utterance("a"), utterance("b")]);
  transcript.told(utterance("b"));
  assert.deepEqual(ids(transcript), ["a", "b"]);
});

test("what was read replaces what an event said, also its time, and never the other way", () => {
  const transcript = new Transcript();
  transcript.told(utterance("a", { text: "", textOmitted: true, at: START + 9 }));
  transcript.told(utterance("b", { at: START + 5 }));
  transcript.read([utterance("a", { text: "all of it", at: START + 1 })]);
  transcript.told(utterance("a", { text: "late", at: START + 20 }));
  assert.deepEqual(ids(transcript), ["a", "b"]);
  assert.equal(transcript.utterances[0]!.text, "all of it");
});

test("what was read and is gone at the next whole look goes, what only an event said stays", () => {
  const transcript = new Transcript();
  transcript.read([utterance("a"), utterance("erased")]);
  transcript.told(utterance("young"));
  transcript.read([utterance("a")]);
  transcript.keepOnly(new Set(["a"]));
  assert.deepEqual(ids(transcript), ["a", "young"]);
});

test("nothing of an erased call stays, neither on its page nor in the list", () => {
  const transcript = new Transcript();
  transcript.picture(conversation());
  transcript.read([utterance("read")]);
  transcript.told(utterance("told"));
  transcript.erase();
  assert.deepEqual(transcript.utterances, []);
  assert.equal(transcript.conversation, undefined);
  const calls = new Calls();
  calls.picture(conversation(), 1);
  calls.picture(conversation({ conversationId: "call-2" }), 1);
  calls.said({ conversationId: "call-1", role: "customer", at: START, text: "words" }, 1);
  calls.erased("call-1", 2);
  assert.deepEqual(
    calls.shown("all", "").map((call) => call.conversation.conversationId),
    ["call-2"],
  );
});

test("of two pictures of a call the one with the higher version is right, in any order", () => {
  const transcript = new Transcript();
  transcript.picture(conversation({ version: 7, state: "ended" }));
  transcript.picture(conversation({ version: 6, state: "paused" }));
  assert.equal(transcript.conversation!.state, "ended");
  transcript.picture(conversation({ version: 8, state: "streaming" }));
  assert.equal(transcript.conversation!.state, "streaming");
});

test("2,000 utterances in the worst order are merged at once", () => {
  const transcript = new Transcript();
  for (let n = 2000; n > 0; n--) transcript.told(utterance(`${n}`, { at: START + n }));
  assert.equal(transcript.utterances.length, 2000);
  assert.equal(transcript.utterances[0]!.id, "1");
});

test("holds are bands, a transfer is a heading, and the end is last", () => {
  const call = conversation({
    state: "ended",
    legs: [
      { contactId: "1", agent: "jane", queue: "", state: "ended", from: START, at: START + 90_000, holds: [{ from: START + 30_000, to: START + 50_000 }] },
      { contactId: "2", agent: "omar", queue: "", state: "ended", from: START + 100_000, at: START + 130_000, holds: [] },
    ],
  });
  const said = [10, 60, 110].map((second) =>
    utterance(`at ${second}`, { at: START + second * 1000, role: "agent" }),
  );
  const entries = timeline(call, said);
  assert.deepEqual(
    entries.map((entry) => (entry.kind === "utterance" ? `${entry.utterance.id} ${entry.agent}` : entry.kind)),
    ["leg", "at 10 jane", "hold", "resume", "at 60 jane", "leg", "at 110 omar", "end"],
  );
  assert.deepEqual(
    entries.filter((entry) => entry.kind === "leg").map((entry) => entry.isTransfer),
    [false, true],
  );
});

test("a hold that goes on has no resume", () => {
  const call = conversation();
  call.legs[0]!.holds = [{ from: START + 1000, to: null }];
  assert.deepEqual(timeline(call, []).map(({ kind }) => kind), ["leg", "hold"]);
});

test("a late utterance of the last second is before the end", () => {
  const entries = timeline(conversation({ state: "ended" }), [utterance("late", { at: START + 99 })]);
  assert.equal(entries.at(-1)!.kind, "end");
});

test("who joins a running call sees where the earlier part ends", () => {
  const said = [utterance("before"), utterance("after", { at: START + 5000 })];
  const kinds = (call: Conversation, joined: number) => timeline(call, said, joined).map(({ kind }) => kind);
  assert.deepEqual(kinds(conversation(), START + 1000), ["leg", "utterance", "joined", "utterance"]);
  assert.ok(!kinds(conversation(), START).includes("joined"));
  assert.ok(!kinds(conversation({ state: "ended" }), START + 1000).includes("joined"));
});

test("a speaker is named again after the other one, after a mark and after a long pause", () => {
  const said = [
    utterance("a"),
    utterance("b", { at: START + 1000 }),
    utterance("c", { at: START + 2000, role: "agent" }),
    utterance("d", { at: START + 70_000, role: "agent" }),
  ];
  const begins = timeline(undefined, said).map((entry) => entry.kind === "utterance" && entry.begins);
  assert.deepEqual(begins, [true, false, true, true]);
});

test("redactions are marked, single signs are not", () => {
  assert.deepEqual(pieces("card #### #### 12 and [CARD], track #1 in C# [note]"), [
    { kind: "plain", text: "card " },
    { kind: "redacted", text: "#### ####" },
    { kind: "plain", text: " 12 and " },
    { kind: "redacted", text: "[CARD]" },
    { kind: "plain", text: ", track #1 in C# [note]" },
  ]);
});

test("controls, and whatever turns the order of the text, are shown and not obeyed", () => {
  const evil = "a\u202eb\u0000c\u001b[31m\u2066\u2028\ufeff\u0085";
  const shown = plain(evil);
  assert.equal(shown, "a⟨U+202E⟩b⟨U+0000⟩c⟨U+001B⟩[31m⟨U+2066⟩⟨U+2028⟩⟨U+FEFF⟩⟨U+0085⟩");
  assert.deepEqual(pieces(evil).filter(({ kind }) => kind === "control").length, 7);
  assert.equal(plain("half \ud83d of a pair"), "half ⟨U+D83D⟩ of a pair");
});

test("emoji, joiners and single marks of direction stay as they are", () => {
  for (const text of ["👩‍👩‍👧‍👦 👍🏽 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "می‌خواهم", "שלום\u200f!", "line\nand\ttab"]) {
    assert.equal(plain(text), text);
    assert.deepEqual(pieces(text), [{ kind: "plain", text }]);
  }
});

test("a search finds in any case of letters, and takes signs of expressions as they are", () => {
  assert.deepEqual(pieces("Help (HELP)", "help").filter(({ kind }) => kind === "found").length, 2);
  assert.deepEqual(pieces("a.c abc", "a.c").filter(({ kind }) => kind === "found").length, 1);
  for (const find of ["(", "[a-", "\\", "*", "$&", "{1}"]) {
    assert.ok(contains(`x ${find} y`, find));
    assert.ok(!contains("nothing of it", find));
  }
});

test("a long text is cut between characters", () => {
  assert.equal(beginning("short", 10), "short");
  assert.equal(beginning("aaaa👩‍👩‍👧‍👦bbb", 6), "aaaa");
  assert.equal(beginning("x".repeat(20_000), 1500).length, 1500);
});

test("times in the call", () => {
  assert.deepEqual([-5, 0, 62_999, 3_602_000].map(duration), ["0:00", "0:00", "1:02", "1:00:02"]);
});

test("in the text to keep, nobody can put words into another's mouth", () => {
  const forged = "yes\n[0:09] Agent jane: you may\u001b[2K\r";
  const text = asText(conversation(), timeline(conversation(), [utterance("a", { text: forged })]));
  const ours = text.split("\n").filter((line) => line.startsWith("["));
  assert.deepEqual(ours, ["[0:00] — Call with jane", "[0:00] Customer: yes"]);
  assert.ok(!/[\u0000-\u0009\u000b-\u001f]/.test(text));
});

test("the text to keep says what was recovered, and whether it is complete", () => {
  const call = conversation({ state: "ended", completeness: "complete" });
  const said = [utterance("a", { source: "messages", verified: false, text: "pay #### now" })];
  const lines = asText(call, timeline(call, said)).split("\n");
  assert.equal(lines[1], "Complete");
  assert.equal(lines[4], "[0:00] Customer (recovered, not verified): pay #### now");
});

test("a file's name has no path in it", () => {
  assert.equal(fileName("../../etc/passwd\u202e"), "call-______etc_passwd_.txt");
});

test("the list keeps running calls first, and does not move them when they change", () => {
  const calls = new Calls();
  calls.picture(conversation({ conversationId: "old", startedAt: START }), 1);
  calls.picture(conversation({ conversationId: "new", startedAt: START + 1 }), 1);
  calls.picture(conversation({ conversationId: "over", state: "ended", startedAt: START + 2 }), 1);
  const order = () => calls.shown("all", "").map(({ conversation: { conversationId } }) => conversationId);
  assert.deepEqual(order(), ["new", "old", "over"]);
  calls.picture(conversation({ conversationId: "old", version: 9, changedAt: START + 99 }), 2);
  assert.deepEqual(order(), ["new", "old", "over"]);
  assert.equal(calls.running, 2);
});

test("a call that the list does not have any more goes, one that was heard of since stays", () => {
  const calls = new Calls();
  calls.picture(conversation({ conversationId: "gone" }), 1);
  calls.picture(conversation({ conversationId: "young" }), 5);
  calls.read([conversation({ conversationId: "listed" })], false, 4);
  assert.deepEqual(
    calls.shown("all", "").map(({ conversation: { conversationId } }) => conversationId),
    ["listed", "young"],
  );
});

test("an erased call does not come back to the list by an answer that was asked for before", () => {
  const calls = new Calls();
  const shown = () => calls.shown("all", "").length;
  calls.picture(conversation(), 1);
  calls.erased("call-1", 3);
  calls.read([conversation()], false, 2);
  assert.equal(shown(), 0);
  calls.read([conversation()], false, 4); // nobody had erased it: it was not known yet
  assert.equal(shown(), 1);
});

test("words of a call that the list does not have are forgotten, those heard of since are kept", () => {
  const calls = new Calls();
  for (const [at, id] of [[1, "gone"], [5, "young"]] as const) {
    calls.said({ conversationId: id, role: "customer", at: START, text: "words" }, at);
  }
  calls.read([], false, 4);
  for (const id of ["gone", "young"]) calls.picture(conversation({ conversationId: id }), 6);
  const words = calls.shown("all", "").map((call) => [call.conversation.conversationId, call.words?.text]);
  assert.deepEqual(words, [["gone", undefined], ["young", "words"]]);
});

test("the queue is that of the last leg that has one", () => {
  const leg = conversation().legs[0]!;
  const legs = [{ ...leg, queue: "Billing" }, { ...leg, queue: "Cards" }, leg];
  assert.equal(queueOf(conversation({ legs })), "Cards");
  assert.equal(queueOf(conversation()), "");
});

test("the list is filtered by agent, words, id and state", () => {
  const calls = new Calls();
  calls.picture(conversation({ conversationId: "one" }), 1);
  calls.picture(conversation({ conversationId: "two", listening: false, notListening: "400-203" }), 1);
  calls.said({ conversationId: "one", role: "customer", at: START, text: "My Invoice" }, 1);
  calls.said({ conversationId: "one", role: "customer", at: START - 1, text: "older" }, 1);
  const found = (filter: string) => calls.shown("all", filter).map(({ conversation: c }) => c.conversationId);
  assert.deepEqual(found("invoice"), ["one"]);
  assert.deepEqual(found("older"), []);
  assert.deepEqual(found("JANE"), ["one", "two"]);
  assert.deepEqual(found("tw"), ["two"]);
  assert.deepEqual(calls.shown("notListening", "").map(({ conversation: c }) => c.conversationId), ["two"]);
});

test("words that come before the first picture of their call are not lost", () => {
  const calls = new Calls();
  calls.said({ conversationId: "call-1", role: "agent", at: START, text: "hello" }, 1);
  calls.picture(conversation(), 1);
  assert.equal(calls.shown("all", "")[0]!.words!.text, "hello");
});
