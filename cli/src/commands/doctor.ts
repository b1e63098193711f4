import { constants, existsSync } from "node:fs";
import { access, statfs } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { codeOf } from "@copepod/core/errors";
import { createPaint } from "../chat/render.ts";
import { type Context, print } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import { readProblems } from "../home/read-problems.ts";
import { describeProblem } from "./apply.ts";
import { checkKeys } from "./check-keys.ts";

/** What was looked at, and what became of it. `info` = worth knowing, nothing to mend. */
export interface Finding {
  readonly check: string;
  readonly state: "ok" | "info" | "bad";
  readonly detail: string;
  readonly cure?: string;
}

const minimumNodeMajor = 26;
const minimumFreeBytes = 512 * 1024 * 1024;
const statusTimeoutMs = 5_000;

/** Numbers of file systems that are reached over a network, where SQLite's locks do not hold. */
const networkFileSystems: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x01021997, "9P"],
  [0x5346414f, "AFS"],
  [0x00c36400, "Ceph"],
]);

/** Looks at all that Copepod needs on this machine. @returns exit 1 when something is to be mended. */
export async function doctor(context: Context, { output }: { readonly output?: "json" }): Promise<number> {
  const findings = [
    checkNode(process.versions.node),
    ...(await checkHome(context.settings.home)),
    await checkResources(context),
    ...(await checkKeys(context.settings.home)),
    await checkRouter(context),
    await checkSandbox(context),
  ];
  if (output === "json") print(context, JSON.stringify({ findings }, null, 2));
  else print(context, render(context, findings));
  return findings.some(({ state }) => state === "bad") ? exitCodes.failure : exitCodes.ok;
}

function render({ io }: Context, findings: readonly Finding[]): string {
  const paint = createPaint(io.stdout);
  const marks = { ok: paint("green", "ok  "), info: paint("cyan", "info"), bad: paint("red", "BAD ") };
  return findings
    .flatMap(({ check, state, detail, cure }) => [
      `${marks[state]}  ${check}: ${detail}`,
      ...(cure === undefined ? [] : [`      ${cure}`]),
    ])
    .join("\n");
}

export function checkNode(version: string): Finding {
  const isEnough = Number(version.split(".")[0]) >= minimumNodeMajor;
  if (isEnough) return { check: "node", state: "ok", detail: version };
  const cure = "Run it by `npm start` or `npx copepod`, which bring the Node that Copepod needs.";
  return { check: "node", state: "bad", detail: `${version} is older than ${minimumNodeMajor}`, cure };
}

async function checkHome(home: string): Promise<Finding[]> {
  const existing = nearestExisting(home);
  try {
    await access(existing, constants.W_OK);
  } catch (error) {
    const cure = "Give yourself the right to write there, or set COPEPOD_HOME (or --home) to another folder.";
    return [{ check: "home", state: "bad", detail: `${home} can't be written: ${messageOf(error)}`, cure }];
  }
  const { type, bavail, bsize } = await statfs(existing);
  return [{ check: "home", state: "ok", detail: home }, checkFileSystem(type), checkRoom(bavail * bsize)];
}

/** The folder itself, or the one in which it would be made. */
function nearestExisting(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearestExisting(dirname(path));
}

export function checkFileSystem(type: number): Finding {
  const name = networkFileSystems.get(type);
  if (name === undefined) return { check: "file system", state: "ok", detail: "local" };
  const cure = "Set COPEPOD_HOME (or --home) to a folder on a local disk.";
  return { check: "file system", state: "bad", detail: `${name}: SQLite would lose data there`, cure };
}

export function checkRoom(freeBytes: number): Finding {
  const detail = `${Math.floor(freeBytes / 1024 / 1024)} MiB free`;
  if (freeBytes >= minimumFreeBytes) return { check: "disk", state: "ok", detail };
  return { check: "disk", state: "bad", detail, cure: "Make room on the disk of COPEPOD_HOME." };
}

async function checkResources(context: Context): Promise<Finding> {
  const problems = await readProblems(join(context.settings.home, "resources"));
  if (problems === undefined) {
    const cure = "`npm start` makes a sample, or apply your own with `copepod apply -f`.";
    return { check: "resources", state: "info", detail: "none yet", cure };
  }
  if (problems.length === 0) return { check: "resources", state: "ok", detail: "all valid" };
  const cure = "Mend the files; the last good state stays in force so long.";
  return { check: "resources", state: "bad", detail: problems.map(describeProblem).join("\n      "), cure };
}

async function checkRouter(context: Context): Promise<Finding> {
  try {
    const { admin, close } = await context.connect(context.settings);
    try {
      const { ready, reasons } = await admin.status({}, { signal: AbortSignal.timeout(statusTimeoutMs) });
      if (ready) return { check: "system", state: "ok", detail: "running and ready" };
      return { check: "system", state: "bad", detail: reasons.join("; "), cure: `See ${context.settings.home}/logs.` };
    } finally {
      await close();
    }
  } catch (error) {
    if (codeOf(error) === "notRunning") {
      return { check: "system", state: "info", detail: "not running", cure: "Start it with `npm start`." };
    }
    const cure = `See ${context.settings.home}/logs/router.log.`;
    return { check: "system", state: "bad", detail: `the router does not answer: ${messageOf(error)}`, cure };
  }
}

async function checkSandbox(context: Context): Promise<Finding> {
  const folders = (context.settings.own.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  for (const folder of folders) {
    const path = join(folder, "bwrap");
    if (await isExecutable(path)) return { check: "sandbox", state: "ok", detail: path };
  }
  return { check: "sandbox", state: "info", detail: "no bubblewrap; the demo agent runs no commands and needs none" };
}

const isExecutable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
