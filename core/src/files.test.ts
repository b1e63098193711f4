import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fileNameSchema, safeFileName } from "./files.ts";

const names: readonly (readonly [what: string, name: string, safe: string])[] = [
  ["a plain name", "report 2026.pdf", "report 2026.pdf"],
  ["another script", "Übersicht 概要.txt", "Übersicht 概要.txt"],
  ["a way out of the folder", "../../etc/passwd", "_.._etc_passwd"],
  ["a way out on another system", "..\\..\\boot.ini", "_.._boot.ini"],
  ["two dots", "..", "file"],
  ["nothing", "", "file"],
  ["white space", " \t\n ", "file"],
  ["a hidden file", ".bashrc", "bashrc"],
  ["NUL", "a\0b.txt", "ab.txt"],
  ["a terminal's control sequence", "\u001b[31mred.txt", "[31mred.txt"],
  ["line breaks", "a\r\nb\u2028c.txt", "abc.txt"],
  ["text that runs backwards", "invoice\u202Efdp.exe", "invoicefdp.exe"],
  ["half a character", "a\uD800.txt", "a.txt"],
  ["a device", "CON", "_CON"],
  ["a device with an ending", "nul.txt", "_nul.txt"],
  ["a name that only begins like a device", "console.log", "console.log"],
  ["a drive and a stream", "C:file.txt:hidden", "C_file.txt_hidden"],
  ["an ending that some systems drop", "a.txt. .", "a.txt"],
];

describe("a safe file name", () => {
  for (const [what, name, safe] of names) {
    it(`is made of ${what}`, () => assert.equal(safeFileName(name), safe));
  }

  it("is cut to what file systems take, between characters, and keeps its ending", () => {
    for (const letter of ["x", "é", "概", "🙂"]) {
      const safe = safeFileName(`${letter.repeat(1_000)}.pdf`);
      assert.match(safe, new RegExp(`^(?:${letter})+\\.pdf$`, "u"));
      const bytes = Buffer.byteLength(safe);
      assert.ok(bytes <= 200 && bytes > 190, String(bytes));
    }
  });

  it("stays as it is when it is made safe again, so that it passes as a file's name", () => {
    const letters = [..."./\\ :a\u0000\u202E\uD83D🙂概\u0301.CON"];
    for (let seed = 1; seed <= 2_000; seed++) {
      const name = Array.from({ length: seed % 300 }, (_, i) => letters[(seed * 7 + i * i * seed) % letters.length]);
      const safe = safeFileName(name.join(""));
      assert.equal(safeFileName(safe), safe);
      assert.ok(fileNameSchema.safeParse(safe).success, JSON.stringify(safe));
    }
  });
});
