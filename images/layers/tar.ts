import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { type Content, type Entry, folder } from "./entries.ts";

const blockBytes = 512;
/** Longer names need a record of their own. */
const maxNameBytes = 100;
const types = { file: "0", link: "2", folder: "5", extended: "x" } as const;

interface Header {
  readonly name: string;
  readonly mode: number;
  readonly bytes: number;
  readonly type: keyof typeof types;
  readonly target?: string;
}

/**
 * A tar archive in the POSIX format. The same entries give the same bytes, in whatever order they come and whoever's files
 * they are: sorted, of user 0, from 1970. Folders that are missing on the way to an entry are added.
 */
export async function* tarOf(entries: Iterable<Entry>): AsyncGenerator<Uint8Array> {
  for (const entry of sorted(entries)) {
    const bytes = entry.kind === "file" ? await sizeOf(entry.content) : 0;
    const name = entry.kind === "folder" ? `${entry.path}/` : entry.path;
    const header: Header = { name, mode: entry.mode, bytes, type: entry.kind };
    yield* headers(entry.kind === "link" ? { ...header, target: entry.target } : header);
    if (entry.kind !== "file") continue;
    yield* read(entry, bytes);
    yield padding(bytes);
  }
  yield Buffer.alloc(2 * blockBytes);
}

/** Later entries replace earlier ones of the same path. */
function sorted(entries: Iterable<Entry>): Entry[] {
  const byPath = new Map([...entries].map((entry) => [entry.path, entry]));
  for (const path of [...byPath.keys()])
    for (let parent = dirname(path); parent !== "." && !byPath.has(parent); parent = dirname(parent))
      byPath.set(parent, folder(parent));
  return [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function sizeOf(content: Content): Promise<number> {
  return "bytes" in content ? content.bytes.byteLength : (await stat(content.source)).size;
}

async function* read({ path, content }: Extract<Entry, { kind: "file" }>, bytes: number): AsyncGenerator<Uint8Array> {
  if ("bytes" in content) return yield content.bytes;
  let done = 0;
  for await (const chunk of createReadStream(content.source, { highWaterMark: 1 << 20 })) {
    done += chunk.length;
    yield chunk;
  }
  if (done !== bytes) throw new Error(`${path} changed while it was packed`);
}

function* headers(header: Header): Generator<Uint8Array> {
  const records = [
    ...(isLong(header.name) ? [record("path", header.name)] : []),
    ...(header.target !== undefined && isLong(header.target) ? [record("linkpath", header.target)] : []),
  ].join("");
  if (records !== "") {
    const bytes = Buffer.byteLength(records);
    yield block({ name: "extended", mode: 0o644, bytes, type: "extended" });
    yield Buffer.from(records);
    yield padding(bytes);
  }
  yield block(header);
}

const isLong = (name: string): boolean => Buffer.byteLength(name) > maxNameBytes;

/** `<length> <key>=<value>\n`, where the length counts itself. */
function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const bytes = Buffer.byteLength(rest);
  let length = bytes + 1;
  while (length !== bytes + String(length).length) length = bytes + String(length).length;
  return `${length}${rest}`;
}

function block({ name, mode, bytes, type, target = "" }: Header): Uint8Array {
  const buffer = Buffer.alloc(blockBytes);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");
  const put = (value: string, at: number, most: number) => Buffer.from(value).copy(buffer, at, 0, most);
  put(name, 0, maxNameBytes);
  put(octal(mode, 7), 100, 7);
  put(octal(0, 7), 108, 7);
  put(octal(0, 7), 116, 7);
  put(octal(bytes, 11), 124, 11);
  put(octal(0, 11), 136, 11);
  put(" ".repeat(8), 148, 8);
  put(types[type], 156, 1);
  put(target, 157, maxNameBytes);
  put("ustar\u000000", 257, 8);
  const sum = buffer.reduce((sum, byte) => sum + byte, 0);
  put(`${octal(sum, 6)}\u0000 `, 148, 8);
  return buffer;
}

const padding = (bytes: number): Uint8Array => Buffer.alloc((blockBytes - (bytes % blockBytes)) % blockBytes);
