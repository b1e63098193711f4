import { CopepodError } from "@copepod/core/errors";
import type { Cluster, ClusterStatus } from "../cluster.ts";
import { readIfThere } from "../machine/files.ts";
import { findProcess, lastWords } from "../machine/processes.ts";
import { waitFor } from "../machine/wait.ts";
import { logNameOf, type NodePart, type NodeStatus, nodeProcess, parseStatus, parts, statusFileOf } from "./spec.ts";

/** @returns undefined when the node was never started */
export async function readStatus(folder: string): Promise<NodeStatus | undefined> {
  const text = await readIfThere(statusFileOf(folder));
  return text === undefined ? undefined : parseStatus(text);
}

export function describeStatus(status: NodeStatus | undefined, isRunning: boolean): ClusterStatus {
  if (!isRunning) {
    return status ? { state: "broken", parts: [{ name: nodeProcess, state: "ended" }] } : { state: "down", parts: [] };
  }
  const shown = parts.map((name) => ({ name, detail: status?.[name] ?? "starting" }));
  return {
    state: shown.every(({ detail }) => detail === "ready") ? "up" : "broken",
    parts: shown.map(({ name, detail }) => ({ name, detail, state: detail === "restarting" ? "ended" : "running" })),
  };
}

/** Says each part that becomes ready. @throws CopepodError that names what does not, and shows the end of its log */
export async function waitUntilReady(
  { folder, say, signal }: Pick<Cluster, "folder" | "say" | "signal">,
  timeoutMs: number,
): Promise<void> {
  const begun = performance.now();
  const said = new Set<NodePart>();
  const missing = () => parts.filter((part) => !said.has(part));
  const look = async (): Promise<boolean> => {
    if (!(await findProcess(folder, nodeProcess)))
      throw new CopepodError("unavailable", `the node has ended; ${await lastWords(folder, nodeProcess)}`);
    const status = await readStatus(folder);
    for (const part of missing()) {
      if (status?.[part] !== "ready") continue;
      said.add(part);
      say(`${part} is ready (${((performance.now() - begun) / 1_000).toFixed(1)} s)`);
    }
    return missing().length === 0;
  };
  const hint = async () => {
    const [first = "node"] = missing();
    return `not ready: ${missing().join(", ")}; ${await lastWords(folder, logNameOf(first))}`;
  };
  await waitFor("the whole node", look, { timeoutMs, signal, hint });
}
