import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { buffer as readAll } from "node:stream/consumers";
import type { AdminClient, Problem } from "@copepod/core/admin-api";
import { CopepodError } from "@copepod/core/errors";
import { readResourceFile } from "@copepod/router/resources/resource-file";
import { parseAllDocuments } from "yaml";
import { applyToCluster } from "../cluster/apply.ts";
import type { Cluster } from "../cluster/open-cluster.ts";
import { type Context, print } from "../context.ts";
import { ExitError, exitCodes } from "../exit-codes.ts";

export interface ApplyOptions {
  /** Files or folders; `-` is stdin. */
  readonly filename: readonly string[];
  readonly output?: "json";
  /** In a cluster: takes fields over that somebody else has set. */
  readonly forceConflicts?: true;
}

type Applied = Awaited<ReturnType<AdminClient["applyResource"]>>;

interface ResourceDocument {
  /** For messages: file and line. */
  readonly place: string;
  readonly resource: Record<string, unknown>;
}

/** Writes the resources of files and folders. All are checked first: when one is bad, nothing is changed. */
export async function apply(context: Context, options: ApplyOptions): Promise<number> {
  const { filename: paths, output, forceConflicts: force = false } = options;
  const documents = await readDocuments(context, paths);
  const { write, close } = context.cluster
    ? await applyingToCluster(context.cluster, { documents, force })
    : await applyingToRouter(context);
  try {
    const items: Applied[] = [];
    for (const document of documents) {
      const applied = await located(document, () => write(document.resource));
      items.push(applied);
      if (output !== "json") print(context, `${applied.kind.toLowerCase()}/${applied.name} ${applied.result}`);
    }
    if (output === "json") print(context, JSON.stringify({ items }, null, 2));
    return exitCodes.ok;
  } finally {
    await close();
  }
}

interface Applying {
  write(resource: ResourceDocument["resource"]): Promise<Applied>;
  close(): Promise<void>;
}

async function applyingToRouter(context: Context): Promise<Applying> {
  const { admin, close } = await context.connect(context.settings);
  return { write: (resource) => admin.applyResource({ resource }), close };
}

/** All are tried first, so that what an admission policy refuses changes nothing either. */
async function applyingToCluster(
  cluster: Cluster,
  { documents, force }: { readonly documents: readonly ResourceDocument[]; readonly force: boolean },
): Promise<Applying> {
  for (const document of documents) {
    await located(document, () => applyToCluster(cluster, document.resource, { force, dryRun: true }));
  }
  return { write: (resource) => applyToCluster(cluster, resource, { force }), close: async () => {} };
}

/** @throws CopepodError `invalid` with everything that is wrong in all files */
async function readDocuments(context: Context, paths: readonly string[]): Promise<readonly ResourceDocument[]> {
  const documents: ResourceDocument[] = [];
  const problems: Problem[] = [];
  for (const { file, bytes } of await readInputs(context, paths)) {
    const content = readResourceFile(bytes);
    if (content.ok) documents.push(...toDocuments(file, bytes, content.entries));
    else problems.push(...content.problems.map((problem) => ({ file, ...problem })));
  }
  if (problems.length > 0) {
    throw new CopepodError("invalid", ["the resources are not valid:", ...problems.map(describeProblem)].join("\n  "));
  }
  if (documents.length === 0) throw new CopepodError("invalid", `no resource in ${paths.join(", ")}`);
  return documents;
}

/** `file:line: path: reason` */
export function describeProblem({ file, line, path, reason }: Problem): string {
  return [line === undefined ? file : `${file}:${line}`, path, reason].filter((part) => part !== undefined).join(": ");
}

/** Errors begin with file and line. */
async function located<T>({ place }: ResourceDocument, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ExitError) {
      throw new ExitError(error.exit, error.code, { message: `${place}: ${error.message}`, cure: error.cure });
    }
    if (!(error instanceof CopepodError)) throw error;
    throw new CopepodError(error.code, `${place}: ${error.message}`, { cause: error });
  }
}

/** The documents as they were written: defaults stay out of the file that the router keeps. */
function toDocuments(
  file: string,
  bytes: Buffer,
  entries: readonly { readonly index: number; readonly line: number }[],
): ResourceDocument[] {
  const parsed = [...parseAllDocuments(bytes.toString("utf8"))];
  return entries.map(({ index, line }) => ({ place: `${file}:${line}`, resource: parsed[index]?.toJS() }));
}

async function readInputs(context: Context, paths: readonly string[]): Promise<{ file: string; bytes: Buffer }[]> {
  const inputs: { file: string; bytes: Buffer }[] = [];
  for (const path of paths) {
    if (path === "-") {
      inputs.push({ file: "stdin", bytes: await readAll(context.io.stdin) });
      continue;
    }
    for (const file of await filesOf(path)) inputs.push({ file, bytes: await readFile(file) });
  }
  return inputs;
}

async function filesOf(path: string): Promise<string[]> {
  const found = await stat(path).catch((cause: Error) => {
    throw new CopepodError("notFound", `can't read ${path}: ${cause.message}`, { cause });
  });
  if (!found.isDirectory()) return [path];
  const names = await readdir(path, { recursive: true });
  return names
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
    .map((name) => join(path, name));
}
