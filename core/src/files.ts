import { z } from "zod";
import { maxFileBytes, maxFilesPerMessage } from "./limits.ts";

/** Longest name of a file, in bytes of UTF-8. File systems take 255: there is room for a number before or behind it. */
const maxFileNameBytes = 200;

/** Content-addressed: hex sha256 of the bytes. */
export const blobSchema = z.string().regex(/^[0-9a-f]{64}$/, "must be the hex sha256 of a file");

/** A name that is one part of a path, whatever the file system. */
export const fileNameSchema = z
  .string()
  .min(1)
  .max(maxFileNameBytes)
  .refine((name) => name === safeFileName(name), "must be a plain file name");

/** A file of a message; its bytes travel apart, by their hash. */
export const fileSchema = z.object({
  name: fileNameSchema,
  blob: blobSchema,
  bytes: z.int().nonnegative().max(maxFileBytes),
});
export type MessageFile = z.output<typeof fileSchema>;

export const filesSchema = z.array(fileSchema).max(maxFilesPerMessage);

/** The answer to an upload. */
export const uploadedSchema = z.object({ blob: blobSchema, bytes: z.int().nonnegative() });
export type Uploaded = z.output<typeof uploadedSchema>;

/** Where blobs are put and got: `PUT <path>` with the bytes as body, `GET <path>/<hash>`. */
export const blobPaths = { mailbox: "/v1/mailbox/blobs", admin: "/v1/blobs" } as const;

/** `GET` gives a copy of the queue database, of the admin API. */
export const backupPath = "/v1/backup";

/** Devices of some systems, whatever the ending. */
const deviceName = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;

/** Makes any name fit to be a file in one folder: no separators, no control characters, nothing hidden, never empty. */
export function safeFileName(name: string): string {
  const plain = name
    .replaceAll(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}\p{Zl}\p{Zp}]/gu, "")
    .normalize("NFC")
    .replaceAll(/[/\\:*?"<>|]/g, "_")
    .replace(/^[.\s]+/, "")
    .replace(/[.\s]+$/, "");
  const harmless = deviceName.test(plain) ? `_${plain}` : plain;
  return shorten(harmless) || "file";
}

/** Cuts between characters, before the ending. */
function shorten(name: string): string {
  if (bytesOf(name) <= maxFileNameBytes) return name;
  const ending = /\.[A-Za-z0-9]{1,10}$/.exec(name)?.[0] ?? "";
  let start = "";
  for (const character of name.slice(0, name.length - ending.length)) {
    if (bytesOf(start + character + ending) > maxFileNameBytes) break;
    start += character;
  }
  return start.replace(/[.\s]+$/, "") + ending;
}

const bytesOf = (text: string): number => new TextEncoder().encode(text).length;
