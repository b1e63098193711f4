import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { CopepodError } from "@copepod/core/errors";

/**
 * Applies it as one transaction: all of it, or nothing.
 * @param enter words before `nft` that lead into another network namespace
 * @throws CopepodError `internal` with what nft says; the rules are then as before
 */
export async function applyTable(table: string, enter: readonly string[] = []): Promise<void> {
  const [program = "nft", ...args] = [...enter, "nft", "-f", "-"];
  const nft = spawn(program, args, { stdio: ["pipe", "ignore", "pipe"] });
  const ended = once(nft, "exit");
  nft.stdin.end(table);
  const [complaint, [code]] = await Promise.all([text(nft.stderr), ended]);
  if (code !== 0) throw new CopepodError("internal", `nft did not take the table of the policies: ${complaint.trim()}`);
}
