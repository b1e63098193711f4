import type { Cluster, ClusterStatus, Part, Provider } from "../cluster.ts";
import { listProcesses, stopProcess } from "../machine/processes.ts";
import { ControlPlane } from "./control-plane.ts";

const parts = ["kube-apiserver", "etcd"] as const;

/** etcd and the API server alone. */
export const controlPlaneProvider: Provider = {
  name: "control-plane",

  async up({ folder, say, signal, binaries }: Cluster) {
    const programs = await binaries(["etcd", "kube-apiserver"]);
    say("starting etcd and the API server");
    await ControlPlane.start({ folder, signal, binaries: programs });
  },

  async down({ folder }: Cluster) {
    // Nothing of it is kept, so nothing has to be brought to a good end.
    for (const part of parts) await stopProcess(folder, part, { signal: "SIGKILL" });
  },

  async status({ folder }: Cluster): Promise<ClusterStatus> {
    const found = await listProcesses(folder);
    const all = parts.map((name): Part => {
      const record = found.find((process) => process.name === name);
      return record?.isRunning ? { name, state: "running", detail: `process ${record.pid}` } : { name, state: "ended" };
    });
    return { state: all.every(({ state }) => state === "running") ? "up" : "broken", parts: all };
  },
};
