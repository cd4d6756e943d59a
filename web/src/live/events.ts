import type { LiveEvent } from "../model/types";
import { Backoff } from "./backoff";
import type { TokenSource } from "./read";
import { base64url, SignedOut } from "./session";

/** Who listens to a channel. */
export interface Listener {
  /** The subscription stands: nothing is missed from now on, so read now. */
  onReady(): void;
  onEvent(event: LiveEvent): void;
  /** The connection is gone; it is made again. */
  onDown(): void;
  /**
   * The server does not allow it; or it could not find out, which looks the same.
   *
   * @param again Asks once more, after a pause. For whoever has found out that it is allowed.
   */
  onRefused(again: () => void): void;
}

interface Subscription {
  /** Another one for each try. */
  id: string;
  channel: string;
  listener: Listener;
  isUp: boolean;
  backoff: Backoff;
  retry?: ReturnType<typeof setTimeout>;
}

/** If the server names no time. */
const LONGEST_SILENCE_MS = 300_000;
/** How long a connection may take to be acknowledged. */
const HANDSHAKE_MS = 15_000;
/** A connection is made again so often, with the token of that time. */
const RENEWAL_MS = 55 * 60_000;

/**
 * One WebSocket to AppSync Events with all subscriptions of the page. It is made at the first
 * subscription, made again with growing pauses when it is lost, and closed after the last.
 */
export class EventsConnection {
  private socket: WebSocket | undefined;
  private isAcknowledged = false;
  private isConnecting = false;
  private readonly subscriptions = new Set<Subscription>();
  private readonly backoff = new Backoff();
  private silence: ReturnType<typeof setTimeout> | undefined;
  private renewal: ReturnType<typeof setTimeout> | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private longestSilence = LONGEST_SILENCE_MS;

  constructor(
    private readonly config: { httpHost: string; realtimeUrl: string },
    private readonly session: TokenSource,
    private readonly onSignedOut: () => void,
    private readonly Socket: typeof WebSocket = WebSocket,
  ) {}

  /** @returns Ends the subscription. */
  subscribe(channel: string, listener: Listener): () => void {
    const subscription = { id: "", channel, listener, isUp: false, backoff: new Backoff() };
    this.subscriptions.add(subscription);
    if (this.isAcknowledged) void this.ask(subscription);
    else this.connect();
    return () => this.unsubscribe(subscription);
  }

  /** Connects at once instead of after a pause, for instance when the network is back. */
  hurry(): void {
    if (this.retry === undefined) return;
    this.backoff.reset();
    this.connect();
  }

  close(): void {
    for (const { retry } of this.subscriptions) clearTimeout(retry);
    this.subscriptions.clear();
    this.drop();
  }

  private unsubscribe(subscription: Subscription): void {
    clearTimeout(subscription.retry);
    if (!this.subscriptions.delete(subscription)) return;
    if (!this.subscriptions.size) this.drop();
    else if (this.isAcknowledged) this.send({ type: "unsubscribe", id: subscription.id });
  }

  private connect(): void {
    clearTimeout(this.retry);
    this.retry = undefined;
    if (this.socket || this.isConnecting) return;
    this.isConnecting = true;
    this.session
      .token()
      .then((token) => this.open(token))
      .catch((error: unknown) => {
        if (error instanceof SignedOut) this.onSignedOut();
        else this.again();
      })
      .finally(() => (this.isConnecting = false));
  }

  private open(token: string): void {
    if (!this.subscriptions.size) return;
    const header = new TextEncoder().encode(JSON.stringify(this.authorization(token)));
    const socket = new this.Socket(this.config.realtimeUrl, [
      "aws-appsync-event-ws",
      `header-${base64url(header)}`,
    ]);
    this.socket = socket;
    this.expect(HANDSHAKE_MS);
    socket.onopen = () => this.send({ type: "connection_init" });
    socket.onmessage = ({ data }) => {
      if (this.socket === socket) this.received(String(data));
    };
    socket.onclose = () => this.lost(socket);
  }

  private authorization(token: string): Record<string, string> {
    return { host: this.config.httpHost, Authorization: `Bearer ${token}` };
  }

  private received(data: string): void {
    const message = parsed(data);
    if (!message) return;
    this.expect(this.isAcknowledged ? this.longestSilence : HANDSHAKE_MS);
    const subscription = [...this.subscriptions].find((each) => each.id === message["id"]);
    switch (message["type"]) {
      case "connection_ack":
        this.acknowledged(message["connectionTimeoutMs"]);
        break;
      case "subscribe_success":
        if (!subscription) break;
        subscription.isUp = true;
        subscription.backoff.reset();
        subscription.listener.onReady();
        break;
      case "subscribe_error":
        if (subscription) this.refused(subscription, JSON.stringify(message["errors"] ?? ""));
        break;
      case "data":
        for (const event of [message["event"]].flat()) {
          const live = parsed(String(event)) as LiveEvent | undefined;
          if (live) subscription?.listener.onEvent(live);
        }
        break;
      case "connection_error":
      case "error":
        if (!this.isAcknowledged) this.socket?.close();
        break;
    }
  }

  private acknowledged(timeout: unknown): void {
    this.isAcknowledged = true;
    this.backoff.reset();
    this.longestSilence = typeof timeout === "number" && timeout > 0 ? timeout : LONGEST_SILENCE_MS;
    this.expect(this.longestSilence);
    this.renewal = setTimeout(() => this.socket && this.lost(this.socket), RENEWAL_MS);
    for (const subscription of this.subscriptions) void this.ask(subscription);
  }

  private async ask(subscription: Subscription): Promise<void> {
    const socket = this.socket;
    const { channel } = subscription;
    const id = crypto.randomUUID();
    subscription.id = id;
    try {
      const authorization = this.authorization(await this.session.token());
      if (this.socket === socket && this.subscriptions.has(subscription)) {
        this.send({ type: "subscribe", id, channel, authorization });
      }
    } catch (error) {
      if (error instanceof SignedOut) this.onSignedOut();
      else if (this.socket === socket && socket) this.lost(socket);
    }
  }

  private refused(subscription: Subscription, errors: string): void {
    const { id } = subscription;
    const again = () => {
      // Each connection asks by itself, with another id.
      if (!this.isAcknowledged || subscription.id !== id) return;
      clearTimeout(subscription.retry);
      subscription.retry = setTimeout(() => {
        if (this.isAcknowledged) void this.ask(subscription);
      }, subscription.backoff.next());
    };
    if (/unauthorized|forbidden|denied/i.test(errors)) subscription.listener.onRefused(again);
    else again(); // too many requests, or a failure of theirs
  }

  /** The connection is dead if nothing comes for so long. */
  private expect(ms: number): void {
    clearTimeout(this.silence);
    const socket = this.socket;
    this.silence = setTimeout(() => socket && this.lost(socket), ms);
  }

  private lost(socket: WebSocket): void {
    if (this.socket !== socket) return;
    this.drop();
    for (const subscription of this.subscriptions) {
      clearTimeout(subscription.retry);
      if (subscription.isUp) subscription.listener.onDown();
      subscription.isUp = false;
    }
    if (this.subscriptions.size) this.again();
  }

  private again(): void {
    this.retry = setTimeout(() => this.connect(), this.backoff.next());
  }

  private drop(): void {
    clearTimeout(this.silence);
    clearTimeout(this.renewal);
    clearTimeout(this.retry);
    this.retry = undefined;
    const socket = this.socket;
    this.socket = undefined;
    this.isAcknowledged = false;
    socket?.close();
  }

  private send(message: object): void {
    if (this.socket?.readyState === 1) this.socket.send(JSON.stringify(message));
  }
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
