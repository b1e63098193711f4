import { z } from "zod";
import { maxFileBytes, maxFilesPerMessage } from "./limits.ts";

/** Longest name of a file, in characters; every file system takes as many bytes of ASCII. */
const maxFileNameLength = 200;

/** Content-addressed: hex sha256 of the bytes. */
export const blobSchema = z.string().regex(/^[0-9a-f]{64}$/, "must be the hex sha256 of a file");

/** A name that is one part of a path, whatever the file system. */
export const fileNameSchema = z
  .string()
  .min(1)
  .max(maxFileNameLength)
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

/** Makes any name fit to be a file in one folder: no separators, no control characters, nothing hidden, never empty. */
export function safeFileName(name: string): string {
  const plain = name
    .normalize("NFC")
    .replaceAll(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Cn}\p{Zl}\p{Zp}]/gu, "")
    .replaceAll(/[/\\:*?"<>|]/g, "_")
    .trim()
    .replace(/^\.+/, "")
    .replace(/[. ]+$/, "");
  if (plain.length <= maxFileNameLength) return plain || "file";
  const ending = /\.[A-Za-z0-9]{1,10}$/.exec(plain)?.[0] ?? "";
  return Array.from(plain.slice(0, maxFileNameLength - ending.length)).join("").trim() + ending;
}
