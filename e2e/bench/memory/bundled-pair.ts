import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SessionProcesses } from "@copepod/agent-image/runner/testing/session-processes";
import { nodeFlags } from "@copepod/credential-proxy/node-flags";
import { leanBundle } from "@copepod/images/parts/lean-bundle";
import { build } from "esbuild";
import { pssMb } from "./pss.ts";

const entryPoints = {
  proxy: fileURLToPath(import.meta.resolve("@copepod/credential-proxy/main")),
  runner: fileURLToPath(import.meta.resolve("@copepod/agent-image/runner/main")),
};

export interface PairMemory {
  /** With the Node that all other programs run, whose pages are shared with them. */
  readonly besideOthersMb: number;
  /** With a copy of Node that nobody else runs. */
  readonly aloneMb: number;
}

/** PSS of one session's proxy and runner, bundled as the images have them, after an answer of the demo provider. */
export async function measureBundledPair(): Promise<PairMemory> {
  const folder = await mkdtemp(join(tmpdir(), "copepod-bundle-"));
  try {
    await bundle(folder);
    const ownNode = join(folder, "node");
    await copyFile(process.execPath, ownNode);
    return { besideOthersMb: await measure(folder, process.execPath), aloneMb: await measure(folder, ownNode) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(folder: string, node: string): Promise<number> {
  await using session = await SessionProcesses.create();
  await session.startRouter();
  const proxy = session.start("proxy", [node, ...nodeFlags, join(folder, "proxy.mjs")]);
  const runner = session.start("runner", [node, join(folder, "runner.mjs")]);
  const seq = session.router.say("hello");
  await session.router.until((router) => router.stateOf(seq) === "done");
  return pssMb(proxy.pid ?? 0) + pssMb(runner.pid ?? 0);
}

/** Both programs in one go, so that what they share is one file; what is loaded on demand stays apart. */
async function bundle(outdir: string): Promise<void> {
  await build({
    entryPoints,
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    minify: true,
    platform: "node",
    format: "esm",
    banner: { js: leanBundle.banner },
    plugins: leanBundle.plugins,
    logLevel: "error",
  });
}
