import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { CopepodError } from "@copepod/core/errors";
import { type Io, tell } from "../context.ts";

/** A pipe is read no further than this; what is longer is no key. */
const maxReadBytes = 64 * 1024;

/** Asks for a secret: at a terminal without an echo, else from standard input. @throws CopepodError `cancelled` */
export async function readSecret(io: Io, question: string): Promise<string> {
  return io.stdin.isTTY === true ? await askHidden(io, question) : await readPipe(io.stdin);
}

async function askHidden(io: Io, question: string): Promise<string> {
  io.stderr.write(question);
  // Readline echoes to its output; here to nowhere.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const readline = createInterface({ input: io.stdin, output: nowhere, terminal: true, historySize: 0 });
  const answer = Promise.withResolvers<string>();
  readline.on("line", answer.resolve);
  for (const event of ["SIGINT", "close"] as const) {
    readline.on(event, () => answer.reject(new CopepodError("cancelled", "Nothing was stored.")));
  }
  try {
    return await answer.promise;
  } finally {
    readline.close();
    tell({ io }, "");
  }
}

async function readPipe(stdin: Io["stdin"]): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin) {
    const part = Buffer.from(chunk);
    chunks.push(part);
    bytes += part.length;
    if (bytes > maxReadBytes) break;
  }
  return Buffer.concat(chunks).toString("utf8");
}
