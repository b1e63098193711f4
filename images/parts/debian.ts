import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setInterval } from "node:timers/promises";
import { promisify } from "node:util";
import { tryLock } from "@copepod/cli/supervisor/lock";
import { CopepodError } from "@copepod/core/errors";
import { sha256 } from "../layers/layer.ts";

/** A package of Debian, exactly. */
export interface Locked {
  readonly name: string;
  readonly version: string;
  /** Of its file. */
  readonly sha256: string;
}

/** How often it is looked whether another process has finished. */
const lockEveryMs = 200;

const lockLine = /^(?<name>[a-z0-9.+-]+) (?<version>[\w.+:~-]+) (?<sha256>[0-9a-f]{64})$/;

/** @throws CopepodError `invalid` that names the line */
export function parseLock(text: string): Locked[] {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return lines.map((line) => {
    const { name, version, sha256 } = lockLine.exec(line)?.groups ?? {};
    if (name !== undefined && version !== undefined && sha256 !== undefined) return { name, version, sha256 };
    throw new CopepodError(
      "invalid",
      `the lock of Debian packages has the line “${line}”; \`npm run images -- lock\` writes it anew`,
    );
  });
}

export const formatLock = (packages: readonly Locked[]): string =>
  [
    "# Debian packages of an image, with the SHA-256 of each file. Written by `npm run images -- lock`.",
    ...packages.map(({ name, version, sha256 }) => `${name} ${version} ${sha256}`),
    "",
  ].join("\n");

/** `'<address>' <name>_<version>_<architecture>.deb <bytes> SHA256:<hash>`; apt encodes the colon of an epoch. */
const uriLine = /^'[^']+' (?<name>[^_ ]+)_(?<version>[^_ ]+)_[^_ ]+\.deb \d+ SHA256:(?<sha256>[0-9a-f]{64})$/gm;

export function parseUris(output: string): Locked[] {
  return [...output.matchAll(uriLine)].map(({ groups }) => {
    const { name = "", version = "", sha256 = "" } = groups ?? {};
    return { name, version: decodeURIComponent(version), sha256 };
  });
}

export interface DebianOptions {
  /** Keeps package files and apt's lists. */
  readonly cache: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** Debian's packages from where this machine gets them, by apt with lists of its own: nothing is installed, root not needed. */
export class Debian {
  readonly #cache: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #signal: AbortSignal;

  constructor({ cache, env, signal }: DebianOptions) {
    this.#cache = cache;
    this.#env = env;
    this.#signal = signal;
  }

  /** What a system made of these packages consists of today, without what is merely recommended. */
  async resolve(names: readonly string[]): Promise<Locked[]> {
    using _lock = await this.#lock();
    await this.#update();
    const flags = ["-y", "-qq", "--print-uris", "--no-install-recommends"];
    return parseUris(await this.#aptGet(["install", ...flags, ...names], this.#cache));
  }

  /**
   * @returns a file for each
   * @throws CopepodError `notFound` when the mirror no longer has one of the versions
   */
  async fetch(packages: readonly Locked[]): Promise<string[]> {
    if (packages.some((each) => !existsSync(this.#fileOf(each)))) {
      using _lock = await this.#lock();
      const missing = packages.filter((each) => !existsSync(this.#fileOf(each)));
      if (missing.length > 0) await this.#download(missing);
    }
    return packages.map((each) => this.#fileOf(each));
  }

  /** Unpacks the packages into the folder, one over the other. */
  async unpack(files: readonly string[], folder: string): Promise<void> {
    for (const file of files) await this.#run("dpkg-deb", ["--extract", file, folder], folder);
  }

  /** What the package says about itself. */
  async describe(file: string): Promise<string> {
    return await this.#run("dpkg-deb", ["--field", file], this.#cache);
  }

  /** apt itself would not wait for another one that works on the same lists. */
  async #lock(): Promise<Disposable> {
    await mkdir(this.#cache, { recursive: true });
    const file = join(this.#cache, "lock");
    const first = tryLock(file);
    if (first) return first;
    for await (const _ of setInterval(lockEveryMs, undefined, { signal: this.#signal })) {
      const lock = tryLock(file);
      if (lock) return lock;
    }
    throw this.#signal.reason;
  }

  async #download(packages: readonly Locked[]): Promise<void> {
    const work = await mkdtemp(join(this.#cache, ".download-"));
    const wanted = packages.map(({ name, version }) => `${name}=${version}`);
    try {
      if (!existsSync(this.#lists)) await this.#update();
      await this.#aptGet(["download", "-qq", ...wanted], work).catch(async () => {
        await this.#update();
        await this.#aptGet(["download", "-qq", ...wanted], work).catch((cause: unknown) => {
          throw vanished(cause);
        });
      });
      for (const name of await readdir(work)) await this.#keep(join(work, name), packages);
      const absent = packages.find((each) => !existsSync(this.#fileOf(each)));
      if (absent)
        throw new CopepodError("invalid", `${absent.name} ${absent.version} is not the file that the lock names`);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }

  async #keep(file: string, packages: readonly Locked[]): Promise<void> {
    const hash = sha256(await readFile(file));
    const known = packages.find((each) => each.sha256 === hash);
    if (known) await rename(file, this.#fileOf(known));
  }

  async #update(): Promise<void> {
    await mkdir(join(this.#lists, "partial"), { recursive: true });
    await mkdir(join(this.#cache, "apt/archives/partial"), { recursive: true });
    await writeFile(join(this.#cache, "apt/status"), "");
    await this.#aptGet(["update", "-qq"], this.#cache);
  }

  get #lists(): string {
    return join(this.#cache, "apt/lists");
  }

  #fileOf({ name, sha256 }: Locked): string {
    return join(this.#cache, `${name}-${sha256}.deb`);
  }

  async #aptGet(args: readonly string[], cwd: string): Promise<string> {
    const settings = {
      "Dir::State::Lists": this.#lists,
      "Dir::State::status": join(this.#cache, "apt/status"),
      "Dir::Cache": join(this.#cache, "apt"),
      "APT::Sandbox::User": "root",
      "Acquire::ForceHash": "SHA256",
    };
    const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
    return await this.#run("apt-get", [...options, ...args], cwd);
  }

  async #run(command: string, args: readonly string[], cwd: string): Promise<string> {
    const options = {
      cwd,
      signal: this.#signal,
      maxBuffer: 1 << 26,
      env: { ...this.#env, LC_ALL: "C.UTF-8" },
    };
    const { stdout } = await promisify(execFile)(command, args, options);
    return stdout;
  }
}

/** apt says `E: Version '1' for 'name' was not found`, a line for each. */
export function vanished(cause: unknown): CopepodError {
  const said = cause instanceof Error ? cause.message : String(cause);
  const lines = said.split("\n").filter((line) => line.startsWith("E: "));
  return new CopepodError(
    "notFound",
    `Debian's mirror does not have the packages that the lock names:\n${lines.join("\n")}\n` +
      "`npm run images -- lock` takes those of today, `--unlocked` does so for this time only",
    { cause },
  );
}
