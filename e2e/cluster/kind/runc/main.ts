// Called in runc's place by the engine's containerd, and becomes runc. See the README on when and why.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { filterBundle, filterProcess, optionOf } from "./filter.ts";

const [runc = "runc", ...args] = process.argv.slice(2);

function rewrite(file: string, filter: (text: string) => string): void {
  writeFileSync(file, filter(readFileSync(file, "utf8")));
}

const [bundle, processFile] = [optionOf(args, "--bundle"), optionOf(args, "--process")];
if (bundle !== undefined) rewrite(join(bundle, "config.json"), filterBundle);
if (processFile !== undefined) rewrite(processFile, filterProcess);
process.execve?.(runc, [runc, ...args], process.env);
