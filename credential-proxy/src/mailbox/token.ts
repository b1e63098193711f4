import { readFile, stat } from "node:fs/promises";
import { CopepodError } from "@copepod/core/errors";
import { createEqualityCheck } from "../keys/placeholder.ts";

/** Reads a token that is rotated by replacing its file. @throws CopepodError `unavailable` */
export type TokenSource = () => Promise<string>;

export function createTokenSource(path: string): TokenSource {
  let known = { version: "", token: "" };
  return async () => {
    try {
      const { mtimeMs, ino, size } = await stat(path);
      const version = `${mtimeMs}:${ino}:${size}`;
      if (version !== known.version) known = { version, token: (await readFile(path, "utf8")).trim() };
    } catch (cause) {
      throw new CopepodError("unavailable", "the session's token can't be read", { cause });
    }
    if (known.token === "") throw new CopepodError("unavailable", "the session's token is empty");
    return known.token;
  };
}

/** Compares an `authorization` header with the one that is expected, in a time that does not depend on where they differ. */
export function createPlaceholderCheck(placeholder: string): (authorization: string | undefined) => boolean {
  const isExpected = createEqualityCheck(`Bearer ${placeholder}`);
  return (authorization) => isExpected(authorization ?? "");
}
