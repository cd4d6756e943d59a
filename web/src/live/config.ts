/** `config.json`, which is beside `index.html`: docs/live.md. */
export interface Config {
  region: string;
  readUrl: string;
  events: { httpHost: string; realtimeUrl: string };
  signIn: { url: string; clientId: string; scopes: string[]; redirectUri: string };
  connect: { instanceUrl: string };
}

export async function readConfig(): Promise<Config> {
  const answer = await fetch("config.json", { cache: "no-store" });
  if (!answer.ok) throw new Error(`config.json: ${answer.status}`);
  const config = (await answer.json()) as Config;
  for (const url of [config.readUrl, config.events.realtimeUrl, config.signIn.url]) new URL(url);
  return config;
}
