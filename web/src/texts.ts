/**
 * Every text that the page shows, in English. To add a language, write another object of the type
 * `Texts`, and choose it in `texts` by `navigator.language`.
 */
const english = {
  title: "Live calls",
  loading: "Loading …",
  close: "Close",
  noConfig: "The page's file config.json is missing or wrong, so there is nothing to connect to.",

  signIn: "Sign in",
  signInWhy: "Sign in to see calls while they are spoken.",
  signInWindow: "A window opens for it.",
  signOut: "Sign out",
  signedOut: "You are signed out.",
  signInFailed: "Signing in did not work. Try again.",
  signInExpired: "Your sign-in has expired.",
  signInBlocked: "The browser has blocked the window. Allow windows for this page, and try again.",
  windowDone: "You are signed in. You can close this window.",
  windowAlone:
    "The tab is still signed out: your sign-in page has cut this window off from it. Close this window, and try again in the tab. If this happens again, tell whoever runs this page.",

  calls: "Calls",
  running: (count: number) => (count === 1 ? "1 running call" : `${count} running calls`),
  filter: "Filter by agent, queue, words or id",
  show: "Show",
  showAll: "All calls",
  showRunning: "Running",
  showNotListening: "Not transcribed now",
  showEnded: "Ended",
  noCalls: "No calls at the moment. A call appears here when its transcription starts.",
  noMatches: "No call matches the filter.",
  moreCalls: "There are over 500 calls. The oldest are not shown.",
  noList: "The list is for supervisors. Open a call from the agent workspace.",
  open: "Open",
  openBeside: "Open beside",
  openBesideCall: (agent: string) => `Open the call of ${agent} beside the others`,
  openCallOf: "Open the call of",
  nothingOpen: "Choose a call to read it while it is spoken.",
  nobody: "no agent yet",
  noWords: "The next words appear here",
  since: "since",
  queue: "Queue",

  transcript: (agent: string) => `Call of ${agent}`,
  said: "What was said",
  contact: "Contact",
  waiting: "Nothing is known of this contact yet. Its transcript appears when transcription starts.",
  notYours: "This call is not yours, or nobody knows it.",
  erased: "This call was erased.",
  empty: "Nothing was said yet.",
  noContact: "Select a contact to see its transcript.",
  noCall: "This contact is not a call, so it has no transcript here.",
  noWorkspace: "The agent workspace does not answer. Open this page as an app of the agent workspace.",

  roles: { customer: "Customer", agent: "Agent", unknown: "Speaker" },
  agentNamed: (name: string) => (name ? `Agent ${name}` : "Agent"),
  says: (who: string, text: string) => `${who}: ${text}`,

  states: { streaming: "In progress", paused: "On hold", ended: "Ended", "": "Unknown" } as Record<string, string>,
  listening: "ASAPP is listening",
  notListening: "ASAPP is not listening",
  whyNot: {
    on_hold: "the call is on hold",
    ended: "the call has ended",
    starting: "it is about to start",
    rejected: "it refused to start",
    unavailable: "it could not be reached",
    disabled: "transcription is switched off",
    no_media_stream: "the flow has started no media streaming",
  } as Record<string, string>,
  whyNotCode: (code: string) => `code ${code}`,
  offline: "Connection lost. What is said meanwhile is read when it is back.",

  callBegins: (agent: string) => (agent ? `Call with ${agent}` : "The call begins"),
  transferred: (agent: string) => (agent ? `Transferred to ${agent}` : "Transferred"),
  onHold: "On hold. ASAPP is not listening.",
  resumed: (lasted: string) => `Resumed after ${lasted}`,
  joined: "You joined here. The earlier part is above.",
  callEnded: "The call has ended",
  redacted: "redacted",
  redactedWhy: "Redacted by ASAPP",
  control: "A control character",
  recovered: "recovered",
  recoveredWhy: "Was missing during the call, and was recovered from ASAPP's record after it",
  unverified: "not verified",
  unverifiedWhy: "ASAPP does not vouch for this utterance",
  malformed: "incomplete message",
  malformedWhy: (what: string) => `The message lacked: ${what}`,
  textComes: "This utterance is long. Its text is being read …",
  showWhole: (length: number) => `Show all ${length.toLocaleString("en")} characters`,
  showLess: "Show less",
  newest: "newest",

  search: "Search in this call",
  matches: (at: number, count: number) => (count ? `${at} of ${count}` : "not found"),
  nextMatch: "Next match",
  previousMatch: "Previous match",
  copy: "Copy",
  copied: "Copied",
  copyFailed: "Copying is not allowed here",
  download: "Download",
  toNewest: "Newest",
  toNewestNew: (count: number) => (count === 1 ? "1 new utterance" : `${count} new utterances`),

  completeness: {
    complete: "Complete",
    incomplete: "Incomplete",
    awaiting: "Not compared with ASAPP's record yet",
    not_transcribed: "Not transcribed",
    quarantined: "Could not be compared with ASAPP's record",
    "": "Not compared with ASAPP's record yet",
  } as Record<string, string>,
  counts: (all: number, recovered: number, unverified: number) =>
    [
      all === 1 ? "1 utterance" : `${all} utterances`,
      recovered ? `${recovered} recovered` : "",
      unverified ? `${unverified} not verified` : "",
    ]
      .filter(Boolean)
      .join(", "),
  fileHeader: (id: string, started: string) => `Call ${id}, started ${started}`,
};

export type Texts = typeof english;
export const texts: Texts = english;

/** Why ASAPP does not listen, in words. */
export function whyNotListening(code: string): string {
  return texts.whyNot[code] ?? texts.whyNotCode(code);
}
