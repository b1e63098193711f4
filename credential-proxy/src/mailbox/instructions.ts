import { chmod, mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { backoffMs, reconnectBackoff } from "@copepod/core/backoff";
import { codeOf } from "@copepod/core/errors";
import type { MailboxClient } from "@copepod/core/mailbox-api";
import type { Logger } from "pino";

export interface InstructionsDeps {
  readonly mailbox: Pick<MailboxClient, "context">;
  readonly dir: string;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
}

/** Writes the session's composed instructions where the agent can read and not write them; tries until it has them. */
export async function writeInstructions(deps: InstructionsDeps, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      const { instructions } = await deps.mailbox.context({}, { signal });
      return await replaceFile(deps.dir, instructions);
    } catch (error) {
      if (signal.aborted) return;
      if (attempt === 1) deps.log.info({ code: codeOf(error) }, "instructions not written yet");
      await delay(backoffMs(reconnectBackoff, attempt, deps.random()), undefined, { signal }).catch(() => undefined);
    }
  }
}

/** In one step: a reader sees the old or the new text. */
async function replaceFile(dir: string, text: string): Promise<void> {
  const path = join(dir, "instructions.md");
  await mkdir(dir, { recursive: true });
  await writeFile(`${path}.new`, text);
  await chmod(`${path}.new`, 0o644);
  await rename(`${path}.new`, path);
}
