import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { promisify } from "node:util";
import { CopepodError } from "@copepod/core/errors";
import type { Built } from "./build.ts";

export interface DeliverOptions {
  /** Folder of the repository. */
  readonly repository: string;
  readonly env: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Gives an image to a cluster of `npm run cluster`. */
export async function load(built: Built, cluster: string | undefined, { repository, env, signal }: DeliverOptions) {
  const name = cluster === undefined ? [] : ["--name", cluster];
  const args = [join(repository, "e2e/cluster/main.ts"), "load", built.archive, ...name];
  // It tells a person itself what it does and what failed.
  const child = spawn(process.execPath, args, {
    cwd: repository,
    env,
    signal,
    stdio: ["ignore", "inherit", "inherit"],
  });
  const [code] = await once(child, "exit");
  if (code !== 0) throw new CopepodError("unavailable", `${built.name} was not loaded`);
}

/** Pushes an image by skopeo, which finds the keys where engines keep them. */
export async function push({ archive, reference, digest }: Built, { env, say, signal }: DeliverOptions): Promise<void> {
  say(`pushing ${reference}`);
  const args = ["copy", "--quiet", "--preserve-digests", `oci-archive:${archive}`, `docker://${reference}`];
  try {
    await promisify(execFile)("skopeo", args, { env, signal });
  } catch (cause) {
    signal.throwIfAborted();
    throw new CopepodError("unavailable", explain(cause, reference), { cause });
  }
  say(`pushed ${reference}@${digest}`);
}

function explain(cause: unknown, reference: string): string {
  if (cause instanceof Error && "code" in cause && cause.code === "ENOENT")
    return "skopeo is missing; `apt-get install skopeo` as root";
  return `${reference} was not pushed:\n${cause instanceof Error ? cause.message : String(cause)}`;
}
