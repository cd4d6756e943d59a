/** `1:02`, `1:00:02`; nothing is before the call. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60];
  const hours = Math.floor(seconds / 3600);
  const padded = (part: number) => String(part).padStart(2, "0");
  return hours ? [hours, ...parts.map(padded)].join(":") : `${parts[0]}:${padded(parts[1]!)}`;
}

/** `PT62S`, as `<time datetime>` wants it. */
export function machine(ms: number): string {
  return `PT${Math.max(0, Math.floor(ms / 1000))}S`;
}
