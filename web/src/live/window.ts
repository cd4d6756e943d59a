import type { Session } from "./session";
import { storage } from "./storage";

/**
 * Cognito's page refuses to be framed. So in the agent workspace sign-in takes place in a window of
 * its own, which hands the tokens over to the page that has opened it, and to no other origin.
 */
const SIZE = "popup,width=480,height=720";
const SIGNED_IN = "live-signed-in";
const IN = "window";
const OUT = "out";
const LEAVING = "live.leaving";

/**
 * In the frame: opens the window, and waits for it.
 *
 * @throws Error if the browser does not open it.
 */
export function signInWindow(session: Session): Promise<void> {
  return new Promise((resolve, reject) => {
    const opened = window.open(`${location.pathname}?signin=${IN}`, "_blank", SIZE);
    if (!opened) return reject(new Error("blocked"));
    const receive = ({ origin, source, data }: MessageEvent<unknown>) => {
      if (origin !== location.origin || source !== opened) return;
      const { type, tokens } = data as { type?: unknown; tokens?: unknown };
      if (type !== SIGNED_IN) return;
      removeEventListener("message", receive);
      session.adopt(tokens);
      resolve();
    };
    addEventListener("message", receive);
  });
}

/** In the frame: signs out of Cognito, too. */
export function signOutWindow(): void {
  window.open(`${location.pathname}?signin=${OUT}`, "_blank", SIZE);
}

/**
 * In the window.
 *
 * @param why The address's `signin`.
 * @returns What there is to say: that it is done, or that nobody is there to be signed in. undefined
 *   if it goes on elsewhere.
 */
export function signInHere(session: Session, why: string): "done" | "alone" | undefined {
  if (why === OUT) {
    session.leave(LEAVING);
    return undefined;
  }
  if (!session.user) {
    void session.signIn();
    return undefined;
  }
  const opener = window.opener as Window | null;
  // A page on the way may have cut this window off: Cross-Origin-Opener-Policy.
  opener?.postMessage({ type: SIGNED_IN, tokens: session.handOver() }, location.origin);
  session.forget();
  if (!opener) return "alone";
  window.close();
  return "done";
}

/** In the window, after Cognito's sign-out. */
export function closeAfterLeaving(): void {
  if (storage.getItem(LEAVING)) window.close();
}
