import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { EventsConnection } from "../src/live/events";
import { pass } from "./clock";

/** AppSync Events, on the other side of each connection. */
class Server {
  static connections: Server[] = [];
  readonly asked: Record<string, string>[] = [];
  readonly readyState = 1;
  onopen!: () => void;
  onmessage!: (message: { data: string }) => void;
  onclose!: () => void;

  constructor() {
    Server.connections.push(this);
  }

  send(text: string): void {
    const message = JSON.parse(text) as Record<string, string>;
    if (message["type"] === "subscribe") this.asked.push(message);
  }

  close(): void {}

  say(message: object): void {
    this.onmessage({ data: JSON.stringify(message) });
  }

  refuse(errorType: string): void {
    this.say({ type: "subscribe_error", id: this.asked.at(-1)!["id"], errors: [{ errorType }] });
  }
}

/** A page that has subscribed to one channel. */
class Subscribed {
  readonly heard: string[] = [];
  again!: () => void;
  readonly end: () => void;

  constructor() {
    const config = { httpHost: "events.example", realtimeUrl: "wss://events.example" };
    const session = { token: async () => "token" };
    const Socket = Server as unknown as typeof WebSocket;
    const events = new EventsConnection(config, session, () => assert.fail(), Socket);
    this.end = events.subscribe("/live/calls", {
      onReady: () => this.heard.push("ready"),
      onEvent: ({ type }) => this.heard.push(type),
      onDown: () => this.heard.push("down"),
      onRefused: (again) => {
        this.heard.push("refused");
        this.again = again;
      },
    });
  }
}

/** @returns The server's side of the newest connection. */
async function connected(): Promise<Server> {
  await pass(0);
  const server = Server.connections.at(-1)!;
  server.onopen();
  server.say({ type: "connection_ack", connectionTimeoutMs: 300_000 });
  await pass(0);
  return server;
}

beforeEach(() => {
  Server.connections = [];
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
});

test("a subscription that was refused is asked for again only if its listener says so", async () => {
  const page = new Subscribed();
  const server = await connected();
  server.refuse("UnauthorizedException");
  await pass(240_000);
  assert.deepEqual([page.heard, server.asked.length], [["refused"], 1]);
  page.again();
  await pass(1000);
  assert.equal(server.asked.length, 2);
  server.say({ type: "subscribe_success", id: server.asked[1]!["id"] });
  assert.deepEqual(page.heard, ["refused", "ready"]);
});

test("the pauses before it is asked for again grow up to 30 s", async () => {
  const page = new Subscribed();
  const server = await connected();
  for (const longest of [1, 2, 4, 8, 16, 30, 30]) {
    const times = server.asked.length;
    server.refuse("UnauthorizedException");
    page.again();
    await pass(longest * 500 - 1);
    assert.equal(server.asked.length, times, `${longest} s`);
    await pass(longest * 500 + 1);
    assert.equal(server.asked.length, times + 1, `${longest} s`);
    server.say({ type: "ka" });
  }
});

test("what another connection has refused is asked for once by the new one", async () => {
  const page = new Subscribed();
  const first = await connected();
  first.refuse("UnauthorizedException");
  const { again } = page;
  first.onclose();
  await pass(1000);
  again();
  const second = await connected();
  again();
  await pass(60_000);
  assert.deepEqual([first.asked.length, second.asked.length], [1, 1]);
});

test("nothing is asked for again after somebody has gone", async () => {
  const page = new Subscribed();
  const server = await connected();
  server.refuse("UnauthorizedException");
  page.end();
  page.again();
  await pass(60_000);
  assert.deepEqual([server.asked.length, Server.connections.length], [1, 1]);
});

test("after a failure that is no refusal the subscription is asked for again by itself", async () => {
  const page = new Subscribed();
  const server = await connected();
  server.refuse("TooManyRequestsException");
  await pass(1000);
  assert.deepEqual([page.heard, server.asked.length], [[], 2]);
});
