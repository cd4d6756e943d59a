import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Session } from "../src/live/session";

const signIn = { url: "https://sign-in.example", clientId: "page", scopes: [], redirectUri: "" };

test("a renewal whose answer never comes is given up after 30 s, and the next one is asked for", async () => {
  const limits: AbortController[] = [];
  mock.method(AbortSignal, "timeout", (ms: number) => {
    assert.equal(ms, 30_000);
    return limits[limits.push(new AbortController()) - 1]!.signal;
  });
  mock.method(globalThis, "fetch", (_: unknown, { signal }: RequestInit): Promise<Response> => {
    if (limits.length > 1) return Promise.resolve(Response.json({ id_token: "new" }));
    return new Promise((_, reject) => signal!.addEventListener("abort", reject));
  });
  const session = new Session(signIn);
  session.adopt({ idToken: "old", refreshToken: "it", expiresAt: 0 });
  const first = session.token();
  limits[0]!.abort();
  await assert.rejects(first);
  assert.equal(await session.token(), "new");
});
