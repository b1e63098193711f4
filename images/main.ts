import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { defaultHarnessesDir } from "@copepod/agent-image/harnesses/harness";
import { CopepodError } from "@copepod/core/errors";
import { z } from "zod";
import { Builder, type Built, cacheFolder } from "./build.ts";
import type { ImageName } from "./catalogue.ts";
import { type DeliverOptions, load, push } from "./deliver.ts";
import { help, type Invocation, parseInvocation, type Settings, UsageError } from "./options.ts";

const exitCodes = { failure: 1, usage: 2, interrupted: 130 } as const;

const { env } = process;
const repository = resolve(import.meta.dirname, "..");
// npm runs scripts in the repository's root, wherever it was called.
const cwd = env.INIT_CWD ?? process.cwd();
const interruption = new AbortController();
const deliver: DeliverOptions = {
  ...{ repository, env, signal: interruption.signal },
  say: (line) => process.stderr.write(`${line}\n`),
};

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => interruption.abort());

try {
  await run(parseInvocation(process.argv.slice(2)));
} catch (error) {
  process.exitCode = tell(error);
}

async function run(invocation: Invocation): Promise<void> {
  switch (invocation.kind) {
    case "help":
      process.stdout.write(help);
      return;
    case "lock":
      return await makeBuilder({ registry: "localhost", unlocked: false, asJson: false }).lock();
    case "unpack":
      return await unpack(makeBuilder(invocation), invocation.image, resolve(cwd, invocation.folder));
    case "build":
      await build(invocation);
      return;
    case "load":
      for (const built of await build(invocation)) await load(built, invocation.cluster, deliver);
      return;
    case "push":
      for (const built of await build(invocation)) await push(built, deliver);
      return;
  }
}

function makeBuilder({ registry, unlocked }: Settings): Builder {
  const manifest = z.object({ version: z.string() });
  const { version } = manifest.parse(JSON.parse(readFileSync(join(repository, "package.json"), "utf8")));
  const cache = cacheFolder(env, homedir());
  const harnesses = defaultHarnessesDir(env, homedir());
  return new Builder({ ...deliver, cache, registry, version, unlocked, harnesses });
}

async function build(invocation: Settings & { readonly images: readonly ImageName[] }): Promise<Built[]> {
  const builder = makeBuilder(invocation);
  const began = performance.now();
  const built = await Promise.all(invocation.images.map(async (name) => await builder.build(name)));
  if (invocation.asJson) process.stdout.write(`${JSON.stringify(built.map(forPrograms))}\n`);
  else for (const each of built) process.stdout.write(forPeople(each));
  deliver.say(`${built.length} images after ${((performance.now() - began) / 1_000).toFixed(1)} s`);
  return built;
}

function forPrograms({ layers, ...built }: Built): object {
  return { ...built, layers: layers.map(({ packages, ...layer }) => ({ ...layer, packages: packages.length })) };
}

function forPeople({ reference, bytes, plainBytes, digest, archive }: Built): string {
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  return `${reference}  ${megabytes(bytes)} compressed, ${megabytes(plainBytes)} unpacked\n  ${digest}\n  ${archive}\n`;
}

async function unpack(builder: Builder, image: ImageName, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const layer of await builder.layerFiles(image))
    await promisify(execFile)("tar", ["--extract", "--gzip", "--file", layer, "--directory", folder]);
}

/** @returns the exit code */
function tell(error: unknown): number {
  if (interruption.signal.aborted) {
    deliver.say("interrupted; what is made already stays");
    return exitCodes.interrupted;
  }
  const isExpected = error instanceof CopepodError;
  deliver.say(error instanceof Error ? (isExpected ? error.message : (error.stack ?? error.message)) : String(error));
  return error instanceof UsageError ? exitCodes.usage : exitCodes.failure;
}
