import { join } from "node:path";
import { codeOf } from "@copepod/core/errors";
import { createPaint } from "../chat/render.ts";
import type { Cluster } from "../cluster/open-cluster.ts";
import { type Context, print } from "../context.ts";
import { ExitError, exitCodes } from "../exit-codes.ts";
import { readProblems } from "../home/read-problems.ts";
import { describeProblem } from "./apply.ts";
import { checkKeys } from "./check-keys.ts";
import { checkHome, checkNode } from "./check-machine.ts";
import { checkProviders } from "./check-providers.ts";
import { checkSandbox } from "./check-sandbox.ts";
import type { Finding } from "./finding.ts";

const statusTimeoutMs = 5_000;

/** Looks at all that Copepod needs on this machine, or in a cluster. @returns exit 1 when something is to be mended. */
export async function doctor(context: Context, { output }: { readonly output?: "json" }): Promise<number> {
  const findings = context.cluster ? await findingsOfCluster(context, context.cluster) : await findingsHere(context);
  if (output === "json") print(context, JSON.stringify({ findings }, null, 2));
  else print(context, render(context, findings));
  return findings.some(({ state }) => state === "bad") ? exitCodes.failure : exitCodes.ok;
}

async function findingsOfCluster(context: Context, cluster: Cluster): Promise<readonly Finding[]> {
  const { checkCluster } = await import("../cluster/check-cluster.ts");
  return [checkNode(process.versions.node), ...(await checkCluster(cluster)), await checkRouter(context)];
}

async function findingsHere(context: Context): Promise<readonly Finding[]> {
  const providers = await checkProviders(context.settings);
  return [
    checkNode(process.versions.node),
    ...(await checkHome(context.settings.home)),
    await checkResources(context),
    ...(await checkKeys(context.settings.home)),
    await checkRouter(context),
    await checkSandbox(context.uid, providers.needsSandbox),
    ...providers.findings,
  ];
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
    const { admin, namespace, close } = await context.connect(context.settings);
    try {
      const { ready, reasons } = await admin.status({ namespace }, { signal: AbortSignal.timeout(statusTimeoutMs) });
      if (ready) return { check: "system", state: "ok", detail: "running and ready" };
      return { check: "system", state: "bad", detail: reasons.join("; "), cure: logHint(context) };
    } finally {
      await close();
    }
  } catch (error) {
    if (codeOf(error) === "notRunning" && !context.cluster) {
      return { check: "system", state: "info", detail: "not running", cure: "Start it with `npm start`." };
    }
    const cure = (error instanceof ExitError ? error.cure : undefined) ?? logHint(context);
    return { check: "system", state: "bad", detail: `the router does not answer: ${messageOf(error)}`, cure };
  }
}

const logHint = ({ cluster, settings }: Context): string =>
  cluster ? "See `copepod logs router`." : `See ${settings.home}/logs/router.log.`;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
