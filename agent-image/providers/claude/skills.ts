import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { emptyAgentFolder, onDisk } from "../../runner/agent-files.ts";
import type { Skill } from "../provider.ts";

/** Makes the harness's folder of skills show exactly these. */
export async function linkSkills(configDir: string, skills: readonly Skill[]): Promise<void> {
  const folder = join(configDir, "skills");
  await emptyAgentFolder(folder);
  for (const { name, path } of skills) await onDisk(folder, symlink(path, join(folder, name)));
}
