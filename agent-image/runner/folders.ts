import { rm } from "node:fs/promises";
import { join } from "node:path";
import { CopepodError } from "@copepod/core/errors";
import { z } from "zod";
import { createAgentFile, isRefusal, readAgentFile, refusalOf, writeAgentFile } from "./agent-files.ts";
import { describeTeam } from "./team.ts";

/** Longest part of the memory that goes into the instructions, in UTF-16 units. */
export const maxMemoryCharacters = 16_000;
/** UTF-8 needs at most four bytes for a character, and a little more is read to see that there is more. */
const memoryReadBytes = 4 * maxMemoryCharacters + 4;
/** Far more than the name of a conversation takes. */
const maxContinuationBytes = 64 * 1024;

const emptyMemory = `# Memory

What is written here is read before every turn, in every session of this agent.
Keep it short. Put longer notes into files beside it, and name them here.
`;

const continuationSchema = z.object({ continuation: z.string() });

/** Path of the memory that all sessions of the agent group share. */
export const memoryPath = (agentDir: string): string => join(agentDir, "memory", "index.md");

export interface AgentFolders {
  readonly agentDir: string;
  readonly teamDir: string | undefined;
}

/** What the provider is told before the conversation: the composed instructions, shared folders, the memory as it is now. */
export async function withFolders(instructions: string, { agentDir, teamDir }: AgentFolders): Promise<string> {
  const path = memoryPath(agentDir);
  const [team, memory] = await Promise.all([describeTeam(teamDir), readOrCreateMemory(path)]);
  const parts = [instructions, team, `# Memory (${path})\n\n${memory.trim()}`].filter((part) => part !== "");
  return `${parts.map((part) => part.trimEnd()).join("\n\n")}\n`;
}

/** The agent may do what it likes with its files; whatever that is, it still hears what people say. */
async function readOrCreateMemory(path: string): Promise<string> {
  try {
    await createMemory(path);
    return await readMemory(path);
  } catch (error) {
    return `(The memory can't be read: ${error instanceof CopepodError ? error.message : refusalOf(error)}.)`;
  }
}

/** What the provider wants back in the session's next turn, also after a restart. */
export async function readContinuation(workspace: string, provider: string): Promise<string | undefined> {
  try {
    const text = await readAgentFile(continuationPath(workspace, provider), maxContinuationBytes);
    return continuationSchema.parse(JSON.parse(text)).continuation;
  } catch {
    // Absent in a fresh session; a damaged file means a fresh conversation too, and is replaced by the next turn.
    return undefined;
  }
}

export async function writeContinuation(workspace: string, provider: string, continuation: string): Promise<void> {
  await writeAgentFile(continuationPath(workspace, provider), JSON.stringify({ continuation }));
}

export async function forgetContinuation(workspace: string, provider: string): Promise<void> {
  await rm(continuationPath(workspace, provider), { recursive: true, force: true });
}

const continuationPath = (workspace: string, provider: string): string =>
  join(workspace, ".copepod", `continuation-${provider}.json`);

async function createMemory(path: string): Promise<void> {
  try {
    await createAgentFile(path, emptyMemory);
  } catch (error) {
    if (!isRefusal(error, "EEXIST")) throw error;
  }
}

async function readMemory(path: string): Promise<string> {
  const text = await readAgentFile(path, memoryReadBytes);
  if (text.length <= maxMemoryCharacters) return text;
  return `${text.slice(0, maxMemoryCharacters)}\n\n(The memory is longer; read the file for the rest, and shorten it.)`;
}
