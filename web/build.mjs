// Builds the page into dist, or (--tests) the tests of its logic into build/tests.
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { build } from "esbuild";

if (process.argv.includes("--tests")) {
  await rm("build", { recursive: true, force: true });
  const tests = (await readdir("tests")).filter((name) => name.endsWith(".test.ts"));
  await build({
    entryPoints: tests.map((name) => `tests/${name}`),
    outdir: "build/tests",
    bundle: true,
    platform: "node",
    format: "esm",
    logLevel: "warning",
  });
} else {
  await rm("dist", { recursive: true, force: true });
  const { metafile } = await build({
    entryPoints: { app: "src/main.ts", style: "src/view/style.css" },
    outdir: "dist",
    // The names change with the content, so that they may be cached for ever.
    entryNames: "assets/[name]-[hash]",
    chunkNames: "assets/[name]-[hash]",
    bundle: true,
    splitting: true, // the agent workspace's SDK is loaded in the workspace only
    format: "esm",
    target: ["chrome111", "firefox113", "safari16.4"],
    minify: true,
    legalComments: "linked",
    metafile: true,
    logLevel: "warning",
  });
  const built = Object.entries(metafile.outputs);
  const script = built.find(([, output]) => output.entryPoint === "src/main.ts")[0];
  const style = built.find(([, output]) => output.entryPoint === "src/view/style.css")[0];
  const page = (await readFile("src/index.html", "utf8"))
    .replace("%SCRIPT%", script.slice("dist/".length))
    .replace("%STYLE%", style.slice("dist/".length));
  await writeFile("dist/index.html", page);
  await writeFile("dist/icon.svg", await readFile("src/icon.svg"));
}
