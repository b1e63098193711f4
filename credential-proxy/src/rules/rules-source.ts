import { readFile, stat } from "node:fs/promises";
import { CopepodError, codeOf } from "@copepod/core/errors";
import type { Logger } from "pino";
import { compileRules, type RuleTable } from "./rules.ts";

/** New rules count this much later at the latest, for what already runs too. */
const lookEveryMs = 1_000;

export interface RulesSourceDeps {
  readonly path: string;
  readonly log: Logger;
  /** Called with each table that replaces another. */
  readonly onChange: (table: RuleTable) => void;
}

/** The rules in force: those of the file, or the last good ones. */
export class RulesSource implements Disposable {
  #table: RuleTable;
  #version: string;
  #isLooking = false;
  readonly #deps: RulesSourceDeps;
  readonly #timer: NodeJS.Timeout;

  private constructor(deps: RulesSourceDeps, first: { readonly table: RuleTable; readonly version: string }) {
    this.#deps = deps;
    this.#table = first.table;
    this.#version = first.version;
    this.#timer = setInterval(() => void this.#look(), lookEveryMs).unref();
  }

  /** @throws CopepodError `invalid` when the file is not there or does not say what is meant */
  static async open(deps: RulesSourceDeps): Promise<RulesSource> {
    const version = await versionOf(deps.path);
    return new RulesSource(deps, { version, table: compileRules(await readRules(deps.path)) });
  }

  get current(): RuleTable {
    return this.#table;
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const version = await versionOf(this.#deps.path).catch(() => "missing");
      if (version === this.#version) return;
      // Said once per version, whether it is good or not.
      this.#version = version;
      this.#table = compileRules(await readRules(this.#deps.path));
      this.#deps.log.info({ group: this.#table.group }, "rules replaced");
      this.#deps.onChange(this.#table);
    } catch (error) {
      const reason = error instanceof CopepodError ? error.message : "unexpected";
      this.#deps.log.error({ code: codeOf(error), reason }, "new rules are not valid; the old ones stay in force");
    } finally {
      this.#isLooking = false;
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

async function versionOf(path: string): Promise<string> {
  const { mtimeMs, ino, size } = await stat(path).catch((cause: unknown) => unreadable(path, cause));
  return `${mtimeMs}:${ino}:${size}`;
}

async function readRules(path: string): Promise<unknown> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => unreadable(path, cause));
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CopepodError("invalid", `the rules in ${path} are not JSON`, { cause });
  }
}

function unreadable(path: string, cause: unknown): never {
  throw new CopepodError("invalid", `the rules in ${path} can't be read`, { cause });
}
