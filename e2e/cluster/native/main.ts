/**
 * The node. It is started by the first process of new namespaces (see `native.ts`) and makes them a machine of its own
 * that runs all the programs of a cluster. Its end is the end of the namespaces, and of all that is in them.
 */
import { readFile } from "node:fs/promises";
import { cgroupOf, joinCgroup } from "../machine/cgroups.ts";
import { writeNodeFiles } from "./files.ts";
import { forward, receiveListener } from "./forward.ts";
import { becomeMachine } from "./machine.ts";
import { Node } from "./node.ts";
import { StatusWriter } from "./node-status.ts";
import { nodeFolderOf, parseSpec, statusFileOf } from "./spec.ts";

const listener = receiveListener();
const [, , specFile] = process.argv;
if (specFile === undefined) throw new Error("usage: main.ts <spec.json>");
const spec = parseSpec(await readFile(specFile, "utf8"));
forward(await listener, spec.apiPort);
const status = new StatusWriter(statusFileOf(spec.folder));
await joinCgroup(cgroupOf(spec.name));
await becomeMachine(spec.name, nodeFolderOf(spec.folder));
await new Node({ spec, files: await writeNodeFiles(spec), status }).start();
