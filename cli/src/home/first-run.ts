import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";

const apiVersion = "copepod.dev/v1alpha1";

/** A group, a terminal channel, the wiring between them, and the person as owner. */
export function sampleResources(userName: string): Readonly<Record<string, object>> {
  return {
    "helper.yaml": {
      apiVersion,
      kind: "AgentGroup",
      metadata: { name: "helper" },
      spec: {
        instructions: "You are a friendly helper. Answer briefly and in plain words.\n",
        agent: { provider: "demo" },
      },
    },
    "terminal.yaml": {
      apiVersion,
      kind: "Channel",
      metadata: { name: "terminal" },
      spec: { type: "terminal", defaults: { unknownSenders: "Public" } },
    },
    "terminal-helper.yaml": {
      apiVersion,
      kind: "Wiring",
      metadata: { name: "terminal-helper" },
      spec: { channel: "terminal", conversation: { kind: "Direct" }, group: "helper" },
    },
    "me.yaml": {
      apiVersion,
      kind: "User",
      metadata: { name: resourceName(userName) },
      spec: { identities: [`terminal:${userName}`], displayName: userName, roles: [{ role: "Owner" }] },
    },
  };
}

/**
 * Makes the resources folder with samples. Does nothing when the folder exists, even an empty one: it is the person's.
 * @returns names of the files that were written.
 */
export async function makeFirstRun(home: string, userName: string): Promise<readonly string[]> {
  const folder = join(home, "resources");
  await mkdir(home, { recursive: true, mode: 0o700 });
  try {
    await mkdir(folder);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return [];
    throw error;
  }
  const samples = Object.entries(sampleResources(userName));
  for (const [name, resource] of samples) await writeFile(join(folder, name), stringify(resource), { flag: "wx" });
  return samples.map(([name]) => name);
}

/** A user name of the system, as the name of a resource. */
function resourceName(userName: string): string {
  const name = userName
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 63)
    .replace(/-+$/, "");
  return name || "me";
}
