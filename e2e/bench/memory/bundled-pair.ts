import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SessionProcesses } from "@copepod/agent-image/runner/testing/session-processes";
import { nodeFlags } from "@copepod/credential-proxy/node-flags";
import { build } from "esbuild";
import { pssMb } from "./pss.ts";

/** What a library that was written for CommonJS asks for in an ES module. */
const banner = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

const entryPoints = {
  proxy: fileURLToPath(import.meta.resolve("@copepod/credential-proxy/main")),
  runner: fileURLToPath(import.meta.resolve("@copepod/agent-image/runner/main")),
};

/**
 * Memory of one session's pair in MB, after an answer of the demo provider: bundled as the images have it, and with a
 * Node of its own, so that nothing but the pair shares its pages.
 */
export async function measureBundledPair(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "copepod-bundle-"));
  try {
    await bundle(folder);
    const node = join(folder, "node");
    await copyFile(process.execPath, node);
    await using session = await SessionProcesses.create();
    await session.startRouter();
    const proxy = session.start("proxy", [node, ...nodeFlags, join(folder, "proxy.mjs")]);
    const runner = session.start("runner", [node, join(folder, "runner.mjs")]);
    const seq = session.router.say("hello");
    await session.router.until((router) => router.stateOf(seq) === "done");
    return pssMb(proxy.pid ?? 0) + pssMb(runner.pid ?? 0);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Both programs in one go, so that what they share is one file; what is loaded on demand stays apart. */
async function bundle(outdir: string): Promise<void> {
  await build({
    entryPoints,
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    banner: { js: banner },
    logLevel: "error",
  });
}
