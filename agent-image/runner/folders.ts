import { constants, mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";

/** Longest part of the memory that goes into the instructions, in UTF-16 units. */
export const maxMemoryCharacters = 16_000;
/** UTF-8 needs at most four bytes for a character, and a little more is read to see that there is more. */
const memoryReadBytes = 4 * maxMemoryCharacters + 4;

const emptyMemory = `# Memory

What is written here is read before every turn, in every session of this agent.
Keep it short. Put longer notes into files beside it, and name them here.
`;

const continuationSchema = z.object({ continuation: z.string() });

/** Path of the memory that all sessions of the agent group share. */
export const memoryPath = (agentDir: string): string => join(agentDir, "memory", "index.md");

/** What the provider is told before the conversation: the composed instructions, then the memory as it is now. */
export async function withMemory(instructions: string, agentDir: string): Promise<string> {
  const path = memoryPath(agentDir);
  const memory = await readOrCreateMemory(path);
  return `${instructions.trimEnd()}\n\n# Memory (${path})\n\n${memory.trim()}\n`;
}

/** The agent may do what it likes with its files; whatever that is, it still hears what people say. */
async function readOrCreateMemory(path: string): Promise<string> {
  try {
    await createMemory(path);
    return await readMemory(path);
  } catch (error) {
    return `(The memory can't be read: ${error instanceof Error && "code" in error ? error.code : "unknown error"}.)`;
  }
}

/** What the provider wants back in the session's next turn, also after a restart. */
export async function readContinuation(workspace: string, provider: string): Promise<string | undefined> {
  try {
    return continuationSchema.parse(JSON.parse(await readFile(continuationPath(workspace, provider), "utf8")))
      .continuation;
  } catch {
    // Absent in a fresh session; a damaged file means a fresh conversation too, and is replaced by the next turn.
    return undefined;
  }
}

/** Written in one step, so that a crash leaves the old or the new one. */
export async function writeContinuation(workspace: string, provider: string, continuation: string): Promise<void> {
  const path = continuationPath(workspace, provider);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, JSON.stringify({ continuation }));
  await rename(`${path}.new`, path);
}

export async function forgetContinuation(workspace: string, provider: string): Promise<void> {
  await rm(continuationPath(workspace, provider), { force: true });
}

const continuationPath = (workspace: string, provider: string): string =>
  join(workspace, ".copepod", `continuation-${provider}.json`);

async function createMemory(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  try {
    await writeFile(path, emptyMemory, { flag: "wx" });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
}

async function readMemory(path: string): Promise<string> {
  // Without waiting: a named pipe in its place would never open.
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(memoryReadBytes), 0, memoryReadBytes, 0);
  const text = buffer.toString("utf8", 0, bytesRead);
  if (text.length <= maxMemoryCharacters) return text;
  return `${text.slice(0, maxMemoryCharacters)}\n\n(The memory is longer; read the file for the rest, and shorten it.)`;
}
