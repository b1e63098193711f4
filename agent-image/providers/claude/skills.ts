import { mkdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import type { Skill } from "../provider.ts";

/** Makes the harness's folder of skills show exactly these. */
export async function linkSkills(configDir: string, skills: readonly Skill[]): Promise<void> {
  const folder = join(configDir, "skills");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const { name, path } of skills) await symlink(path, join(folder, name));
}
