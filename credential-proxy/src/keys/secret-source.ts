import { readFile, stat } from "node:fs/promises";
import { CopepodError } from "@copepod/core/errors";
import type { Rule } from "@copepod/core/proxy-rules";
import { createNeedles, type Needles } from "./echo-scan.ts";

/** A key is looked at on disk at most this often; a rotated one counts this much later at the latest. */
const freshMs = 250;
const maxSecretBytes = 8 * 1024;

/** A key, ready to be put into a request and to be recognised in an answer. */
export interface Injection {
  readonly header: string;
  readonly value: string;
  readonly needles: Needles;
}

/** The key of one rule, rotated by replacing its file. */
export interface SecretSource {
  /** What was read a moment ago; absent = `read` has to be asked. */
  readonly fresh: Injection | undefined;
  /** @throws CopepodError `secretMissing` */
  read(): Promise<Injection>;
}

/** @param now milliseconds of a clock that only goes forward */
export function createSecretSource(path: string, { credential, inject }: Rule, now: () => number): SecretSource {
  let known: { readonly version: string; readonly injection: Injection } | undefined;
  let checkedAt = Number.NEGATIVE_INFINITY;
  return {
    get fresh() {
      return now() - checkedAt < freshMs ? known?.injection : undefined;
    },
    async read() {
      const { mtimeMs, ino, size, isRegular } = await look(path, credential);
      const version = `${mtimeMs}:${ino}:${size}`;
      if (version !== known?.version) {
        if (!isRegular || size > maxSecretBytes) throw unusable(credential);
        const secret = (await readFile(path, "utf8").catch(() => fail(credential))).trim();
        if (!/^[\x21-\x7e](?:[ -~]*[\x21-\x7e])?$/.test(secret)) throw unusable(credential);
        // A function, since `$` in a text that replaces has a meaning.
        const value = inject.format.replace("{secret}", () => secret);
        known = { version, injection: { header: inject.header, value, needles: createNeedles(secret) } };
      }
      checkedAt = now();
      return known.injection;
    },
  };
}

async function look(path: string, credential: string) {
  const found = await stat(path).catch(() => fail(credential));
  return { mtimeMs: found.mtimeMs, ino: found.ino, size: found.size, isRegular: found.isFile() };
}

const fail = (credential: string): never => {
  throw new CopepodError("secretMissing", `the key of credential ${credential} is not there or can't be read`);
};

const unusable = (credential: string): CopepodError =>
  new CopepodError("secretMissing", `the key of credential ${credential} is not one line of printable characters`);
