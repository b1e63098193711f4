import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { CopepodError, parseInput } from "@copepod/core/errors";
import { resourceNameSchema } from "@copepod/crds/fields";
import { stringify } from "yaml";
import { applyToCluster } from "../cluster/apply.ts";
import { type InstallAnswers, type InstallPlan, planInstall, shellLine } from "../cluster/install-plan.ts";
import { namespaces, secrets, serviceAccounts, storageClasses } from "../cluster/kinds.ts";
import { getIfThere, look } from "../cluster/objects.ts";
import { type Cluster, fieldManager } from "../cluster/open-cluster.ts";
import { type Context, print, tell } from "../context.ts";
import { ExitError, exitCodes } from "../exit-codes.ts";
import { resourceName } from "../home/first-run.ts";
import { checkKeyValue, defaultKey } from "../home/keys.ts";
import { writeSecret } from "./cluster-keys.ts";
import { readSecret } from "./read-secret.ts";
import { requireCluster } from "./require-target.ts";

export interface InstallOptions {
  readonly model?: InstallAnswers["model"];
  readonly storageClass?: string;
  readonly agent?: string;
  readonly chart: string;
  readonly set: readonly string[];
  readonly yes?: true;
}

const models = ["demo", "anthropic", "claude", "openai"] as const;

/** Copepod, an agent and a person, in three questions. Shows first what it would do; may be repeated. */
export async function install(context: Context, options: InstallOptions): Promise<number> {
  const cluster = requireCluster(context, "`copepod install`");
  if (!existsSync(join(options.chart, "copepod", "Chart.yaml"))) {
    throw new CopepodError("notFound", `${options.chart} has no chart "copepod"; name the folder with \`--chart\``);
  }
  const answers = await askAll(context, cluster, options);
  const { namespace, systemNamespace, helmFlags: flags } = cluster;
  const plan = planInstall(answers, {
    ...{ charts: options.chart, namespace, systemNamespace, flags, values: options.set },
    isForeign: await isForeign(cluster),
    person: resourceName(context.userName),
  });
  const key = answers.model === "demo" ? undefined : await readKey(context, cluster, answers.model);
  show(context, plan, answers);
  if (!options.yes && !(await confirm(context))) {
    tell(context, "Nothing was done. `--yes` does it without asking.");
    return exitCodes.ok;
  }
  for (const args of plan.helm) await runHelm(context, args);
  await cluster.client.apply(serviceAccounts, plan.serviceAccount, { fieldManager });
  if (key !== undefined) await writeSecret(cluster, { name: answers.model, key: defaultKey }, key);
  for (const resource of plan.resources) {
    const { kind, name, result } = await applyToCluster(cluster, resource);
    print(context, `${kind.toLowerCase()}/${name} ${result}`);
  }
  tell(context, `Done. Say something: copepod -n ${namespace} ask "hello"`);
  return exitCodes.ok;
}

async function askAll(context: Context, cluster: Cluster, options: InstallOptions): Promise<InstallAnswers> {
  const model = options.model ?? (await ask(context, `Which model answers: ${models.join(", ")}?`, "demo"));
  const known = models.find((one) => one === model);
  if (!known)
    throw new CopepodError("invalid", `${JSON.stringify(model)} is no model; there are: ${models.join(", ")}`);
  const classes = await classesOf(cluster);
  const which = `Which storage class have volumes${classes === "" ? "" : `, of ${classes}`}? Empty: the cluster's default.`;
  const storageClass = options.storageClass ?? (await ask(context, which, ""));
  const agent = options.agent ?? (await ask(context, "What is your agent called?", "helper"));
  return { model: known, storageClass, agent: parseInput(resourceNameSchema, agent) };
}

async function classesOf({ client }: Cluster): Promise<string> {
  const found = await look(client.page(storageClasses));
  return typeof found === "string" ? "" : found.items.map(({ metadata }) => metadata.name).join(", ");
}

/** @returns the standard where there is nobody to ask */
async function ask({ io }: Context, question: string, standard: string): Promise<string> {
  if (io.stdin.isTTY !== true) return standard;
  const lines = createInterface({ input: io.stdin, output: io.stderr });
  try {
    return (await lines.question(`${question} [${standard}] `)).trim() || standard;
  } finally {
    lines.close();
  }
}

async function confirm(context: Context): Promise<boolean> {
  return /^y(es)?$/i.test(await ask(context, "Do it now (y/n)?", "n"));
}

/** @returns undefined when the cluster has it already */
async function readKey(context: Context, { client, namespace }: Cluster, name: string): Promise<string | undefined> {
  const found = await getIfThere(client, secrets, { namespace, name });
  if (!found) return checkKeyValue(await readSecret(context.io, `Key for "${name}" (it is not shown): `));
  tell(context, `The Secret "${name}" is there already and stays as it is; \`keys add ${name}\` replaces the key.`);
  return undefined;
}

/** A namespace that the release would have to make, and can't. */
async function isForeign({ client, namespace }: Cluster): Promise<boolean> {
  const found = await look(client.get(namespaces, { name: namespace }));
  return typeof found === "object" && found.metadata.labels?.["app.kubernetes.io/managed-by"] !== "Helm";
}

function show(context: Context, { helm, serviceAccount, resources }: InstallPlan, { model }: InstallAnswers): void {
  for (const args of helm) print(context, shellLine(["helm", ...args]));
  if (model !== "demo") print(context, `# and the Secret "${model}", with the key that was given`);
  for (const object of [serviceAccount, ...resources]) print(context, `---\n${stringify(object).trimEnd()}`);
}

async function runHelm(context: Context, args: readonly string[]): Promise<void> {
  tell(context, shellLine(["helm", ...args]));
  const helm = spawn("helm", args, { stdio: ["ignore", "inherit", "inherit"] });
  const [code] = await once(helm, "close").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    throw new ExitError("failure", "invalid", {
      message: "helm is not on the PATH, and it installs the charts",
      cure: "Install Helm 4 (https://helm.sh/docs/intro/install), then run this again. Nothing was done.",
    });
  });
  if (code === 0) return;
  throw new ExitError("failure", "invalid", {
    message: `helm ended with exit code ${code}; its lines above say why`,
    cure: "Mend that, then run this again: it goes on where it was.",
  });
}
