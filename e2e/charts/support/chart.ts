import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { CopepodError } from "@copepod/core/errors";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import type { Binaries, BinaryName } from "../../cluster/binaries/catalogue.ts";
import { findBinaries } from "../../cluster/binaries/find.ts";

const run = promisify(execFile);
const maxOutputBytes = 32 * 1024 * 1024;

export const chartsFolder = join(import.meta.dirname, "../../../charts");

const objectSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});
export type ChartObject = z.infer<typeof objectSchema>;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

export const chartTools = <Name extends BinaryName>(names: readonly Name[]): Promise<Binaries<Name>> =>
  findBinaries(names, { env: process.env, say, signal: new AbortController().signal });

/** Why no chart can be rendered here, for the `skip` of a test; false when one can. */
export async function chartGate(names: readonly BinaryName[]): Promise<string | false> {
  try {
    await chartTools(names);
    return false;
  } catch (error) {
    if (process.env.COPEPOD_REQUIRE_CLUSTER === "1" || !(error instanceof CopepodError)) throw error;
    return `no Helm: ${error.message}`;
  }
}

/** Values by their path, such as `{ "operator.replicas": 2 }`. */
export type SetValues = Readonly<Record<string, unknown>>;

/** What `helm template` makes of a chart, as text. @throws Error with what Helm says */
export async function renderText(
  chart: "copepod" | "copepod-crds",
  values: SetValues = {},
  namespace = "copepod",
): Promise<string> {
  const { helm } = await chartTools(["helm"]);
  const sets = Object.entries(values).flatMap(([path, value]) => ["--set-json", `${path}=${JSON.stringify(value)}`]);
  const args = ["template", "copepod", join(chartsFolder, chart), "--namespace", namespace, ...sets];
  const { stdout } = await run(helm, args, { maxBuffer: maxOutputBytes });
  return stdout;
}

export const readObjects = (text: string): ChartObject[] =>
  parseAllDocuments(text).flatMap((document) => {
    const value: unknown = document.toJS();
    return value === null ? [] : [objectSchema.parse(value)];
  });

export const render = async (chart: "copepod" | "copepod-crds", values: SetValues = {}): Promise<ChartObject[]> =>
  readObjects(await renderText(chart, values));
