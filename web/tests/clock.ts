import { mock } from "node:test";

/** The page's clock goes on; then what waits for an answer gets it. */
export async function pass(ms: number): Promise<void> {
  mock.timers.tick(ms);
  for (let turns = 0; turns < 20; turns++) await Promise.resolve();
}
