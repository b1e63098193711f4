import { constants, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isRefusal, openAgentFile, readAgentFile } from "../../runner/agent-files.ts";

/** More than its few lines take. */
const maxMemoryBytes = 1024 * 1024;

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
  const { O_WRONLY, O_APPEND, O_CREAT } = constants;
  await using file = await openAgentFile(notesPath(agentDir), O_WRONLY | O_APPEND | O_CREAT);
  await file.writeFile(`${gap}- ${note}\n`);
}

async function readMemory(agentDir: string): Promise<string> {
  try {
    return await readAgentFile(notesPath(agentDir), maxMemoryBytes);
  } catch (error) {
    if (isRefusal(error, "ENOENT")) return "";
    throw error;
  }
}
