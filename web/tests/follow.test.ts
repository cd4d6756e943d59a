import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import type { Listener } from "../src/live/events";
import { FollowedCall, FollowedCalls } from "../src/live/follow";
import { NotFound, Refused } from "../src/live/read";
import type { CallAnswer, Conversation, ListAnswer, LiveEvent, Utterance } from "../src/model/types";
import { pass } from "./clock";

const START = 1_795_413_005_000;

/** What is behind the page, for one call. */
class Behind {
  said: Utterance[] = [];
  state = "streaming";
  isKnown = true;
  /** The `after` of each reading. */
  readonly asked: string[] = [];
  /** What the list was told to forget. */
  readonly forgotten: string[] = [];
  /** What the page listens to. */
  readonly channels: string[] = [];
  listener!: Listener;
  readonly call: FollowedCall;

  /** @param of Whether the page has the conversation's id, or the id of a contact that may be nobody's. */
  constructor(of: "a conversation" | "a contact" = "a conversation", id = "call-1") {
    this.isKnown = of === "a conversation";
    const events = {
      subscribe: (channel: string, listener: Listener) => {
        this.listener = listener;
        this.channels.push(channel);
        return () => void this.channels.splice(this.channels.indexOf(channel), 1);
      },
    };
    const read = { conversation: (_: string, after: string) => this.answer(after), calls: () => assert.fail() };
    const servers = {
      events,
      read,
      onSignedOut: () => assert.fail(),
      onForgotten: (id: string) => this.forgotten.push(id),
    };
    this.call = new FollowedCall(servers, id, () => undefined);
    void this.call.start(this.isKnown);
  }

  get conversation(): Conversation {
    return {
      conversationId: "call-1",
      version: 1,
      state: this.state,
      listening: true,
      notListening: "",
      startedAt: START,
      changedAt: START,
      completeness: "",
      legs: [],
    };
  }

  say(id: string): Utterance {
    const said: Utterance = {
      id,
      role: "customer",
      at: START,
      endAt: START,
      text: id,
      source: "webhook",
      verified: true,
      storedAt: START,
    };
    this.said.push(said);
    return said;
  }

  tell(event: LiveEvent): void {
    this.listener.onEvent(event);
  }

  get shown(): string[] {
    return this.call.transcript.utterances.map(({ id }) => id);
  }

  private async answer(after: string): Promise<CallAnswer> {
    this.asked.push(after);
    if (!this.isKnown) throw new NotFound();
    const counts = { fromWebhook: this.said.length, recovered: 0, unverified: 0 };
    return { conversation: this.conversation, counts, utterances: [...this.said], more: false, next: "7" };
  }
}

/** What is behind the list of two calls. */
class ListBehind {
  readonly states: Record<string, string> = { heard: "streaming", lost: "streaming" };
  isAllowed = true;
  listener!: Listener;
  readonly list: FollowedCalls;

  constructor() {
    const events = {
      subscribe: (_: string, listener: Listener) => {
        this.listener = listener;
        return () => undefined;
      },
    };
    const read = { calls: () => this.answer(), conversation: () => assert.fail() };
    this.list = new FollowedCalls({ events, read, onSignedOut: () => assert.fail() }, () => undefined);
    this.list.start();
  }

  private async answer(): Promise<ListAnswer> {
    if (!this.isAllowed) throw new Refused();
    const calls = Object.entries(this.states).map(([conversationId, state]) => ({
      ...{ conversationId, version: 1, state, listening: true, notListening: "", startedAt: START },
      ...{ changedAt: START, completeness: "", legs: [] },
    }));
    return { at: START, more: false, calls };
  }
}

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
});

test("a call is read when the subscription stands, and not before", async () => {
  const behind = new Behind();
  behind.say("a");
  await pass(0);
  assert.deepEqual(behind.asked, []);
  behind.listener.onReady();
  await pass(0);
  assert.deepEqual([behind.shown, behind.call.status], [["a"], "live"]);
  assert.deepEqual(behind.asked, [""]);
});

test("a connection that does not come about keeps nobody from reading for more than 2 s", async () => {
  const behind = new Behind();
  behind.say("a");
  await pass(2000);
  assert.deepEqual([behind.shown, behind.call.status], [["a"], "offline"]);
});

test("a lost event is read after 15 s of silence, from where the last reading ended", async () => {
  const behind = new Behind();
  behind.listener.onReady();
  await pass(0);
  behind.say("lost");
  await pass(14_000);
  behind.tell({ type: "utterance", conversationId: "call-1", ...behind.say("heard") });
  await pass(14_999);
  assert.deepEqual(behind.shown, ["heard"]);
  await pass(1);
  assert.deepEqual(behind.shown, ["heard", "lost"]);
  assert.deepEqual(behind.asked, ["", "7"]);
});

test("a lost event is read within a minute though others come all the time, also by the list", async () => {
  const behind = new Behind();
  const list = new ListBehind();
  for (const { listener } of [behind, list]) listener.onReady();
  await pass(0);
  behind.say("lost");
  list.states["lost"] = "ended";
  for (let second = 1; second <= 60; second++) {
    await pass(1000);
    assert.equal(behind.shown.includes("lost"), second === 60, `${second} s`);
    assert.equal(list.list.calls.running, second === 60 ? 1 : 2, `${second} s`);
    behind.tell({ type: "utterance", conversationId: "call-1", ...behind.say(`heard ${second}`) });
    list.listener.onEvent({ type: "words", conversationId: "heard", role: "agent", at: START, text: "" });
  }
});

test("after a reconnect everything is read again", async () => {
  const behind = new Behind();
  behind.listener.onReady();
  await pass(0);
  behind.listener.onDown();
  assert.equal(behind.call.status, "offline");
  behind.say("meanwhile");
  behind.listener.onReady();
  await pass(0);
  assert.deepEqual([behind.shown, behind.call.status, behind.asked], [["meanwhile"], "live", ["", ""]]);
});

test("a call that nobody knew when it was opened is read when it begins", async () => {
  const behind = new Behind();
  behind.isKnown = false;
  behind.listener.onReady();
  await pass(0);
  assert.equal(behind.call.status, "refused");
  behind.isKnown = true;
  behind.tell({ type: "utterance", conversationId: "call-1", ...behind.say("hello") });
  await pass(0);
  assert.deepEqual([behind.shown, behind.call.status], [["hello"], "live"]);
});

test("who opens a later contact of a call listens to the call's own channel", async () => {
  const behind = new Behind("a conversation", "contact-2");
  behind.say("a");
  behind.listener.onReady();
  await pass(0);
  assert.deepEqual(behind.channels, ["/live/conversations/call-1"]);
  assert.deepEqual([behind.shown, behind.call.status], [["a"], "loading"]);
  behind.say("before the subscription stood");
  behind.listener.onReady();
  await pass(0);
  assert.deepEqual([behind.shown.length, behind.call.status, behind.asked], [2, "live", ["", ""]]);
});

test("if that subscription does not come about within 2 s, the page says that it is not connected", async () => {
  const behind = new Behind("a conversation", "contact-2");
  behind.listener.onReady();
  await pass(0);
  await pass(1999);
  assert.equal(behind.call.status, "loading");
  await pass(1);
  assert.equal(behind.call.status, "offline");
});

test("a later contact that was refused is shown when its call can be read", async () => {
  const behind = new Behind("a conversation", "contact-2");
  behind.isKnown = false;
  behind.listener.onReady();
  await pass(0);
  behind.isKnown = true;
  await pass(30_000);
  assert.equal(behind.call.status, "loading");
  behind.listener.onReady();
  await pass(0);
  assert.equal(behind.call.status, "live");
});

test("a contact that nobody knows is asked for every 3 s for a minute, then in pauses of up to 60 s", async () => {
  const behind = new Behind("a contact");
  await pass(0);
  assert.equal(behind.call.status, "unknown");
  const pauses = [...Array<number>(20).fill(3), 6, 12, 24, 48, 60, 60];
  for (const [looks, seconds] of pauses.entries()) {
    await pass(seconds * 1000 - 1);
    assert.equal(behind.asked.length, looks + 1, `pause ${looks}`);
    await pass(1);
    assert.equal(behind.asked.length, looks + 2, `pause ${looks}`);
  }
  behind.isKnown = true;
  await pass(60_000);
  assert.equal(behind.call.status, "live");
});

test("it is asked for at once, and then no more often, when somebody comes back to the page", async () => {
  const behind = new Behind("a contact");
  for (let minute = 0; minute < 10; minute++) for (let second = 0; second < 60; second++) await pass(1000);
  const times = behind.asked.length;
  behind.call.look();
  await pass(0);
  assert.equal(behind.asked.length, times + 1);
  await pass(59_999);
  assert.equal(behind.asked.length, times + 1);
  await pass(1);
  assert.equal(behind.asked.length, times + 2);
});

test("a contact that is over is not asked for any more", async () => {
  const behind = new Behind("a contact");
  await pass(0);
  behind.call.stop();
  await pass(3_600_000);
  assert.equal(behind.asked.length, 1);
});

test("a subscription that was refused is asked for again if the call can be read", async () => {
  const again = mock.fn();
  const behind = new Behind();
  const list = new ListBehind();
  for (const { listener } of [behind, list]) listener.onRefused(again);
  assert.equal(again.mock.callCount(), 0);
  await pass(0);
  assert.equal(again.mock.callCount(), 2);
  assert.deepEqual([behind.call.status, list.list.status], ["offline", "offline"]);
  await pass(15_000);
  assert.equal(again.mock.callCount(), 2);
});

test("it is not asked for again while the call cannot be read, and once when it can", async () => {
  const again = mock.fn();
  const behind = new Behind();
  const list = new ListBehind();
  behind.isKnown = list.isAllowed = false;
  for (const { listener } of [behind, list]) listener.onRefused(again);
  await pass(0);
  assert.deepEqual([behind.call.status, list.list.status], ["refused", "refused"]);
  await pass(29_999);
  assert.equal(again.mock.callCount(), 0);
  behind.isKnown = true;
  await pass(30_000);
  assert.equal(again.mock.callCount(), 1);
});

test("of a call that was erased while nobody heard of it nothing stays after the next reading", async () => {
  const behind = new Behind();
  behind.say("a secret");
  behind.listener.onReady();
  await pass(0);
  behind.listener.onDown();
  behind.isKnown = false;
  behind.listener.onReady();
  await pass(0);
  const { call } = behind;
  assert.deepEqual([call.status, behind.shown], ["refused", []]);
  assert.deepEqual([call.transcript.conversation, call.transcript.counts], [undefined, undefined]);
  assert.deepEqual(behind.forgotten, ["call-1"]);
});

test("what is heard of a call that may not be read is not shown", async () => {
  const behind = new Behind();
  behind.isKnown = false;
  behind.listener.onReady();
  await pass(0);
  behind.tell({ type: "conversation", ...behind.conversation });
  behind.tell({ type: "utterance", conversationId: "call-1", ...behind.say("a secret") });
  assert.deepEqual([behind.shown, behind.call.transcript.conversation], [[], undefined]);
  await pass(0);
  assert.deepEqual([behind.call.status, behind.shown], ["refused", []]);
});

test("a call that may be read again is read from its beginning", async () => {
  const behind = new Behind();
  behind.say("a");
  behind.listener.onReady();
  await pass(0);
  behind.isKnown = false;
  behind.call.look();
  await pass(0);
  assert.equal(behind.call.status, "refused");
  behind.isKnown = true;
  await pass(30_000);
  assert.deepEqual([behind.call.status, behind.shown, behind.asked], ["live", ["a"], ["", "7", ""]]);
});

test("a call that is found gone where somebody looks at it is gone from the list", async () => {
  const behind = new ListBehind();
  behind.listener.onReady();
  await pass(0);
  behind.list.forgetCall("lost");
  assert.deepEqual(behind.list.calls.shown("all", "").map((call) => call.conversation.conversationId), ["heard"]);
});

test("who is no supervisor any more has no list any more", async () => {
  const behind = new ListBehind();
  behind.listener.onReady();
  await pass(0);
  assert.equal(behind.list.calls.running, 2);
  behind.isAllowed = false;
  behind.list.look();
  await pass(0);
  assert.deepEqual([behind.list.status, behind.list.calls.shown("all", "")], ["refused", []]);
});

test("an ended call is read once more after 5 s, and then no more", async () => {
  const behind = new Behind();
  behind.listener.onReady();
  await pass(0);
  behind.state = "ended";
  behind.tell({ type: "conversation", ...behind.conversation, version: 2 });
  behind.say("the last words");
  await pass(5000);
  assert.deepEqual(behind.shown, ["the last words"]);
  await pass(3_600_000);
  assert.equal(behind.asked.length, 2);
});

test("the last words are read 5 s after all has come, whatever was read in between", async () => {
  const between: Record<string, (behind: Behind) => void> = {
    "somebody comes back to the page": ({ call }) => call.look(),
    "the connection is made again": ({ listener }) => listener.onReady(),
    "a late utterance comes": (behind) =>
      behind.tell({ type: "utterance", conversationId: "call-1", ...behind.say("late") }),
  };
  for (const [what, happens] of Object.entries(between)) {
    const behind = new Behind();
    behind.listener.onReady();
    await pass(0);
    behind.state = "ended";
    behind.tell({ type: "conversation", ...behind.conversation, version: 2 });
    await pass(1000);
    happens(behind);
    await pass(0);
    await pass(3000);
    behind.say("lost");
    await pass(2000);
    assert.equal(behind.shown.at(-1), "lost", what);
    const times = behind.asked.length;
    await pass(3_600_000);
    assert.equal(behind.asked.length, times, what);
  }
});

test("an utterance long after the end says that more may have been lost", async () => {
  const behind = new Behind();
  behind.state = "ended";
  behind.listener.onReady();
  await pass(0);
  await pass(60_000);
  behind.say("lost");
  behind.tell({ type: "utterance", conversationId: "call-1", ...behind.say("late") });
  await pass(5000);
  assert.deepEqual(behind.shown, ["late", "lost"]);
});

test("an ended call is read again when it was compared with ASAPP's record", async () => {
  const behind = new Behind();
  behind.state = "ended";
  behind.listener.onReady();
  await pass(3_600_000);
  const times = behind.asked.length;
  behind.say("recovered");
  behind.say("came late after all");
  behind.tell({ type: "conversation", ...behind.conversation, completeness: "complete" });
  await pass(5000);
  assert.deepEqual([behind.shown.length, behind.asked.length], [2, times + 1]);
  behind.said.shift(); // it was a twin
  behind.tell({ type: "conversation", ...behind.conversation, completeness: "incomplete" });
  await pass(5000);
  assert.deepEqual(behind.shown, ["came late after all"]);
  assert.equal(behind.asked.at(-1), "");
});

test("what somebody has closed is not read any more", async () => {
  const behind = new Behind();
  behind.call.stop();
  await pass(60_000);
  assert.deepEqual(behind.asked, []);
});
