import { type HarnessName, harnessNames } from "@copepod/agent-image/harnesses/harness";
import { CopepodError } from "@copepod/core/errors";
import { type Context, print, tell } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import { installHarness } from "../harness/install.ts";
import { type Installation, listInstallations, removeInstallations } from "../harness/installed.ts";
import { renderTable, type TableColumn } from "../output/table.ts";
import { requireMachine } from "./require-target.ts";
import { untilSignal } from "./signals.ts";

export interface ProviderOptions {
  readonly output?: "json";
}

const columns: readonly TableColumn<Installation>[] = [
  { heading: "Name", cell: ({ name }) => name },
  { heading: "Version", cell: ({ version }) => version },
  { heading: "State", cell: stateOf },
  { heading: "Size", cell: ({ installed, bytes }) => (installed ? `${Math.round(bytes / 1_000_000)} MB` : undefined) },
];

/** What can be installed and what is, also by other versions of Copepod. */
export async function listProviders(context: Context, { output }: ProviderOptions): Promise<number> {
  requireHere(context);
  const { harnessesDir } = context.settings;
  const items = (await Promise.all(harnessNames.map((name) => listInstallations(harnessesDir, name)))).flat();
  if (output === "json") print(context, JSON.stringify({ items }, null, 2));
  else print(context, renderTable(columns, items, false));
  return exitCodes.ok;
}

/** Installs the harness of a provider; what is there already is left as it is. */
export async function addProvider(context: Context, given: string, { output }: ProviderOptions): Promise<number> {
  requireHere(context);
  const name = toHarnessName(given);
  const { harnessesDir, own: env } = context.settings;
  const say = (line: string) => tell(context, line);
  const { path, isNew } = await untilSignal(context, (signal) =>
    installHarness(name, { harnessesDir, env, signal, say }),
  );
  if (output === "json") print(context, JSON.stringify({ name, path, isNew }, null, 2));
  else print(context, isNew ? `provider ${name} installed in ${path}` : `provider ${name} is already installed`);
  return exitCodes.ok;
}

/** Removes all versions of the harness of a provider; that there is none is fine too. */
export async function removeProvider(context: Context, given: string, { output }: ProviderOptions): Promise<number> {
  requireHere(context);
  const name = toHarnessName(given);
  const removed = await removeInstallations(context.settings.harnessesDir, name);
  if (output === "json") print(context, JSON.stringify({ name, removed }, null, 2));
  else print(context, removed.length > 0 ? `provider ${name} removed` : `provider ${name} is not installed`);
  return exitCodes.ok;
}

const requireHere = (context: Context): void =>
  requireMachine(
    context,
    "`copepod provider`",
    "In a cluster a provider is an image of the chart (`sessions.agent.images`), or `agent.image` of an AgentGroup.",
  );

function stateOf({ name, current, installed }: Installation): string {
  if (!current) return "installed by another version of Copepod";
  return installed ? "installed" : `\`copepod provider add ${name}\` installs it`;
}

function toHarnessName(name: string): HarnessName {
  const found = harnessNames.find((known) => known === name);
  if (found) return found;
  const known = harnessNames.join(", ");
  throw new CopepodError("invalid", `no provider ${JSON.stringify(name)} can be installed; there are: ${known}`);
}
