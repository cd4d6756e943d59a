import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { ReadApi } from "../src/live/read";
import { pass } from "./clock";

const session = { token: () => Promise.resolve("token") };

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
});

test("a request whose answer never comes is given up after 30 s and made again", async () => {
  let asked = 0;
  const http = (_: unknown, options?: RequestInit): Promise<Response> => {
    if (++asked > 1) return Promise.resolve(Response.json({ calls: [] }));
    return new Promise((_, reject) => options!.signal!.addEventListener("abort", reject));
  };
  let answer: unknown;
  void new ReadApi("", session, http).calls().then((given) => (answer = given));
  await pass(0);
  await pass(29_999);
  assert.equal(asked, 1);
  await pass(1);
  await pass(1000);
  mock.timers.reset();
  for (let turns = 0; !answer && turns < 1000; turns++) await new Promise((done) => setTimeout(done));
  assert.deepEqual([answer, asked], [{ calls: [] }, 2]);
});

test("what nobody waits for any more is not asked for again", async () => {
  let asked = 0;
  const http = (_: unknown, options?: RequestInit): Promise<Response> => {
    asked++;
    return new Promise((_, reject) => options!.signal!.addEventListener("abort", reject));
  };
  const ended = new AbortController();
  const answer = new ReadApi("", session, http).calls(ended.signal);
  await pass(0);
  ended.abort();
  await assert.rejects(answer, { name: "AbortError" });
  await pass(60_000);
  assert.equal(asked, 1);
});
