import type { Config } from "./config";
import { storage } from "./storage";

/** What the page may show of who is signed in. It decides nothing: the servers do. */
export interface User {
  name: string;
  isSupervisor: boolean;
}

interface Tokens {
  idToken: string;
  refreshToken: string;
  /** Milliseconds since 1970, by this machine's clock. */
  expiresAt: number;
}

const TOKENS = "live.tokens";
const ASKED = "live.asked";
const AFTER = "live.after";
/** A token is renewed so long before it ends. */
const MARGIN_MS = 5 * 60_000;

/** API Gateway answers within 29 s. What takes longer has lost its connection. */
export const LONGEST_ANSWER_MS = 30_000;

/** The sign-in is over, and somebody must sign in again. */
export class SignedOut extends Error {}

/**
 * Cognito's authorisation code with PKCE. Tokens are in memory and in this tab's `sessionStorage`,
 * never in an address.
 */
export class Session extends EventTarget {
  private tokens: Tokens | undefined;
  private renewal: Promise<Tokens> | undefined;

  constructor(private readonly config: Config["signIn"]) {
    super();
    const kept = storage.getItem(TOKENS);
    if (kept) this.tokens = JSON.parse(kept) as Tokens;
  }

  get user(): User | undefined {
    if (!this.tokens) return undefined;
    const claims = claimsOf(this.tokens.idToken);
    const groups = claims["cognito:groups"];
    const names = [claims["preferred_username"], claims["cognito:username"]];
    return {
      name: names.find((name): name is string => typeof name === "string" && !!name) ?? "",
      isSupervisor: Array.isArray(groups) && groups.includes("supervisors"),
    };
  }

  /**
   * A token that is still good for some minutes.
   *
   * @param refused The token that a server has just refused: it is renewed, whatever its time.
   * @throws SignedOut if there is none to be had.
   */
  async token(refused?: string): Promise<string> {
    if (!this.tokens) throw new SignedOut();
    const isGood = this.tokens.expiresAt - MARGIN_MS > Date.now() && this.tokens.idToken !== refused;
    if (isGood) return this.tokens.idToken;
    this.renewal ??= this.renew(this.tokens).finally(() => (this.renewal = undefined));
    return (await this.renewal).idToken;
  }

  /** Goes to the sign-in page; this page is loaded again afterwards, with a code. */
  async signIn(): Promise<void> {
    const [state, verifier] = [secret(), secret()];
    storage.setItem(ASKED, JSON.stringify({ state, verifier }));
    storage.setItem(AFTER, location.search + location.hash);
    const query = new URLSearchParams({
      response_type: "code",
      client_id: this.config.clientId,
      redirect_uri: this.config.redirectUri,
      scope: this.config.scopes.join(" "),
      state,
      code_challenge_method: "S256",
      code_challenge: base64url(
        await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)),
      ),
    });
    location.assign(`${this.config.url}/oauth2/authorize?${query}`);
  }

  /**
   * Takes the code from the address, if there is one, and then removes it from there at once.
   *
   * @returns Whether this was a return from the sign-in page.
   * @throws Error if it was, but not one that this tab has asked for.
   */
  async comeBack(): Promise<boolean> {
    const query = new URLSearchParams(location.search);
    const [code, state] = [query.get("code"), query.get("state")];
    if (code === null && state === null && !query.has("error")) return false;
    const asked = JSON.parse(storage.getItem(ASKED) ?? "{}") as Record<string, string>;
    const after = storage.getItem(AFTER) ?? "";
    storage.removeItem(ASKED);
    storage.removeItem(AFTER);
    history.replaceState(null, "", location.pathname + after);
    if (!code || !asked["state"] || state !== asked["state"]) throw new Error("not asked for");
    const form = {
      grant_type: "authorization_code",
      client_id: this.config.clientId,
      redirect_uri: this.config.redirectUri,
      code,
      code_verifier: asked["verifier"]!,
    };
    const answer = await this.ask(form);
    if (!answer.ok) throw new Error(`token: ${answer.status}`);
    this.keep(tokensOf(await answer.json()));
    return true;
  }

  /** Takes the tokens from the window in which somebody has signed in. */
  adopt(tokens: unknown): void {
    this.keep(tokens as Tokens);
  }

  /** For the page that has opened this window. */
  handOver(): unknown {
    return this.tokens;
  }

  forget(): void {
    this.tokens = undefined;
    storage.removeItem(TOKENS);
    this.dispatchEvent(new Event("change"));
  }

  /**
   * Cognito's own sign-out, which comes back to this page.
   *
   * @param mark Is left in this tab's storage, for when it has come back.
   */
  leave(mark?: string): void {
    this.forget();
    if (mark) storage.setItem(mark, "1");
    const query = new URLSearchParams({
      client_id: this.config.clientId,
      logout_uri: this.config.redirectUri,
    });
    location.assign(`${this.config.url}/logout?${query}`);
  }

  private async renew(old: Tokens): Promise<Tokens> {
    const answer = await this.ask({
      grant_type: "refresh_token",
      client_id: this.config.clientId,
      refresh_token: old.refreshToken,
    });
    if (answer.status >= 400 && answer.status < 500 && answer.status !== 429) {
      if (this.tokens === old) this.forget();
      throw new SignedOut();
    }
    if (!answer.ok) throw new Error(`token: ${answer.status}`);
    const tokens = tokensOf(await answer.json(), old.refreshToken);
    // Somebody may have signed out meanwhile: then nothing is kept.
    if (this.tokens !== old) throw new SignedOut();
    this.keep(tokens);
    return tokens;
  }

  private ask(form: Record<string, string>): Promise<Response> {
    return fetch(`${this.config.url}/oauth2/token`, {
      method: "POST",
      body: new URLSearchParams(form),
      cache: "no-store",
      signal: AbortSignal.timeout(LONGEST_ANSWER_MS),
    });
  }

  private keep(tokens: Tokens): void {
    this.tokens = tokens;
    storage.setItem(TOKENS, JSON.stringify(tokens));
    this.dispatchEvent(new Event("change"));
  }
}

function tokensOf(answer: unknown, refreshToken = ""): Tokens {
  const { id_token, refresh_token, expires_in } = answer as Record<string, unknown>;
  if (typeof id_token !== "string") throw new Error("no identity token");
  const seconds = typeof expires_in === "number" ? expires_in : 3600;
  return {
    idToken: id_token,
    refreshToken: typeof refresh_token === "string" ? refresh_token : refreshToken,
    expiresAt: Date.now() + seconds * 1000,
  };
}

/** Not verified: for the screen only. */
export function claimsOf(token: string): Record<string, unknown> {
  try {
    const part = token.split(".")[1]!.replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(part), (each) => each.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  } catch {
    return {};
  }
}

export function base64url(bytes: ArrayBuffer | Uint8Array): string {
  const text = Array.from(new Uint8Array(bytes), (each) => String.fromCharCode(each)).join("");
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function secret(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}
