import type { CallAnswer, ListAnswer } from "../model/types";
import { Backoff, pause } from "./backoff";
import { LONGEST_ANSWER_MS, SignedOut } from "./session";

/** What this module needs of a session. */
export interface TokenSource {
  token(refused?: string): Promise<string>;
}

/** Nothing is known by this id, or it belongs to somebody else: both look the same. */
export class NotFound extends Error {}
/** The server will say no to the same question again. */
export class Refused extends Error {}

/** The read API. It tries again by itself while the servers or the network fail. */
export class ReadApi {
  constructor(
    private readonly url: string,
    private readonly session: TokenSource,
    private readonly http: typeof fetch = (...all) => fetch(...all),
  ) {}

  calls(signal?: AbortSignal): Promise<ListAnswer> {
    return this.get<ListAnswer>("/calls", signal);
  }

  conversation(id: string, after: string, signal?: AbortSignal): Promise<CallAnswer> {
    const query = after ? `?${new URLSearchParams({ after })}` : "";
    return this.get<CallAnswer>(`/conversations/${encodeURIComponent(id)}${query}`, signal);
  }

  private async get<T>(path: string, signal?: AbortSignal): Promise<T> {
    const backoff = new Backoff();
    let refused: string | undefined;
    for (;;) {
      signal?.throwIfAborted();
      const answer = await this.once(path, refused, signal);
      const status = answer?.status ?? 0;
      if (answer?.content !== undefined) {
        return answer.content as T;
      } else if (status === 401 && answer && refused === undefined) {
        refused = answer.token;
        continue;
      } else if (status === 401) {
        throw new SignedOut();
      } else if (status === 404) {
        throw new NotFound();
      } else if (status >= 400 && status < 500 && status !== 429) {
        throw new Refused(String(status));
      }
      await pause(backoff.next(), signal);
    }
  }

  /** @returns undefined if the network or the token endpoint failed, or cut the answer off. */
  private async once(
    path: string,
    refused: string | undefined,
    signal?: AbortSignal,
  ): Promise<{ status: number; token: string; content: unknown } | undefined> {
    const given = new AbortController();
    const giveUp = () => given.abort();
    const limit = setTimeout(giveUp, LONGEST_ANSWER_MS);
    signal?.addEventListener("abort", giveUp);
    try {
      const token = await this.session.token(refused);
      const response = await this.http(this.url + path, {
        headers: { Authorization: `Bearer ${token}` },
        cache: "no-store",
        credentials: "omit",
        signal: given.signal,
      });
      const content: unknown = response.ok ? await response.json() : undefined;
      return { status: response.status, token, content };
    } catch (error) {
      if (error instanceof SignedOut) throw error;
      return undefined;
    } finally {
      clearTimeout(limit);
      signal?.removeEventListener("abort", giveUp);
    }
  }
}
