/**
 * This tab's `sessionStorage`. In a frame of another site the browser may refuse it, as it refuses
 * third-party cookies: then what is kept is kept in memory, until the frame is gone.
 */
function open(): Pick<Storage, "getItem" | "setItem" | "removeItem"> {
  try {
    return window.sessionStorage;
  } catch {
    const kept = new Map<string, string>();
    return {
      getItem: (name) => kept.get(name) ?? null,
      setItem: (name, value) => void kept.set(name, value),
      removeItem: (name) => void kept.delete(name),
    };
  }
}

export const storage = open();
