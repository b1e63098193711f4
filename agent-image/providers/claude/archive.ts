import { join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import { openAgentFile, writeAgentFile } from "../../runner/agent-files.ts";

/** Longest text of one message in an archive, in UTF-16 units. */
const maxMessageCharacters = 4_000;
/** Longest archive, in UTF-16 units; the oldest messages give way. */
const maxArchiveCharacters = 1_000_000;

/** No more than the end of a longer transcript is read. */
const maxTranscriptBytes = 64 * 1024 * 1024;

const block = z.object({ type: z.string(), text: z.string().optional() });

/** A line of the harness's transcript that shows what was said. */
const lineSchema = z.object({
  type: z.enum(["user", "assistant"]),
  isSidechain: z.literal(false).optional(),
  isMeta: z.literal(false).optional(),
  timestamp: z.iso.datetime(),
  message: z.object({ content: z.union([z.string(), z.array(block)]) }),
});

const boundarySchema = z.object({ type: z.literal("system"), subtype: z.literal("compact_boundary") });

interface Said {
  readonly who: "user" | "assistant";
  readonly at: string;
  readonly text: string;
}

/**
 * Keeps what a compaction is about to take from the model: writes `<folder>/<date>-<time>-<short>.md` with what was
 * said since the compaction before.
 * @returns the file, or undefined when nothing was said.
 */
export async function archive(transcript: string, session: string, folder: string): Promise<string | undefined> {
  const said = await readTranscript(transcript);
  const last = said.at(-1);
  if (!last) return undefined;
  const stamp = last.at.slice(0, 19).replaceAll(":", "").replace("T", "-");
  const short = session.replaceAll(/[^0-9A-Za-z]/g, "").slice(0, 8);
  const path = join(folder, `${stamp}-${short}.md`);
  await writeAgentFile(path, toMarkdown(said));
  return path;
}

async function readTranscript(path: string): Promise<Said[]> {
  let said: Said[] = [];
  let characters = 0;
  await using file = await openAgentFile(path);
  const { size } = await file.stat();
  if (size === 0) return said;
  const part = { start: Math.max(0, size - maxTranscriptBytes), end: size - 1 };
  const input = file.createReadStream({ ...part, encoding: "utf8", autoClose: false });
  for await (const line of createInterface({ input, crlfDelay: Infinity })) {
    const entry = toEntry(line);
    if (entry === "boundary") {
      said = [];
      characters = 0;
    } else if (entry) {
      said.push(entry);
      characters += entry.text.length;
    }
    while (characters > maxArchiveCharacters) characters -= said.shift()?.text.length ?? characters;
  }
  return said;
}

function toEntry(line: string): Said | "boundary" | undefined {
  const json = parseJson(line);
  if (boundarySchema.safeParse(json).success) return "boundary";
  const { data } = lineSchema.safeParse(json);
  const text = data ? textOf(data.message.content) : "";
  return data && text !== "" ? { who: data.type, at: data.timestamp, text } : undefined;
}

function textOf(content: z.output<typeof lineSchema>["message"]["content"]): string {
  const text = typeof content === "string" ? content : content.map((part) => part.text ?? "").join("\n");
  const trimmed = text.trim();
  return trimmed.length > maxMessageCharacters ? `${trimmed.slice(0, maxMessageCharacters)}…` : trimmed;
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function toMarkdown(said: readonly Said[]): string {
  const parts = said.map(({ who, at, text }) => `## ${who === "user" ? "In" : "Agent"}, ${at}\n\n${text}\n`);
  return ["# Conversation\n", ...parts].join("\n");
}
