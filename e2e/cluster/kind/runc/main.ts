// Called in runc's place by the engine's containerd, and becomes runc. See the README on when and why.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { filesOf, filterBundle, filterProcess } from "./filter.ts";

const [runc = "runc", ...args] = process.argv.slice(2);

function rewrite(file: string, filter: (text: string) => string): void {
  writeFileSync(file, filter(readFileSync(file, "utf8")));
}

const files = filesOf(args);
if (files.bundle !== undefined) rewrite(join(files.bundle, "config.json"), filterBundle);
if (files.process !== undefined) rewrite(files.process, filterProcess);
process.execve?.(runc, [runc, ...args], process.env);
