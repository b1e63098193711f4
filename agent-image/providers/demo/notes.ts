import { appendFile, mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";

const notesPath = (agentDir: string): string => join(agentDir, "memory", "index.md");

/** Lines of the memory that are notes. */
export async function readNotes(agentDir: string): Promise<string[]> {
  const lines = (await readMemory(agentDir)).split("\n");
  return lines.filter((line) => line.startsWith("- ")).map((line) => line.slice(2));
}

/** Appends a note; one that is there already stays the only one, since a turn may be repeated. */
export async function writeNote(agentDir: string, text: string): Promise<void> {
  const note = text.replaceAll(/\s+/g, " ");
  const memory = await readMemory(agentDir);
  if (memory.split("\n").includes(`- ${note}`)) return;
  const gap = memory === "" || memory.endsWith("\n") ? "" : "\n";
  await mkdir(dirname(notesPath(agentDir)), { recursive: true });
  await appendFile(notesPath(agentDir), `${gap}- ${note}\n`);
}

async function readMemory(agentDir: string): Promise<string> {
  try {
    return await readFile(notesPath(agentDir), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}
