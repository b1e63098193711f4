import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseFileCommand } from "./file-command.ts";

const cases: readonly (readonly [message: string, read: ReturnType<typeof parseFileCommand>])[] = [
  ["/file report.pdf", { path: "report.pdf", text: undefined }],
  ["/file   ~/report.pdf  please read\nthis ", { path: "~/report.pdf", text: "please read\nthis" }],
  ['/file "my report.pdf" please', { path: "my report.pdf", text: "please" }],
  ["/file 'my report.pdf'", { path: "my report.pdf", text: undefined }],
  ["/file my\\ report.pdf now", { path: "my report.pdf", text: "now" }],
  ["/file it's.txt", { path: "it's.txt", text: undefined }],
  ["/file", "unreadable"],
  ["/file ", "unreadable"],
  ['/file "my report.pdf', "unreadable"],
  ['/file "a"b', "unreadable"],
  ["/files a", undefined],
  ["see /file a", undefined],
];

describe("the command that sends a file", () => {
  for (const [message, read] of cases) {
    it(`reads ${JSON.stringify(message)}`, () => assert.deepEqual(parseFileCommand(message), read));
  }
});
