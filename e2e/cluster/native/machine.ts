import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { network } from "./config.ts";

const run = promisify(execFile);

/**
 * Makes the namespaces that this process has been born into a machine of its own: what the node writes outside of the
 * cluster's folder, it writes into this folder instead.
 */
export async function becomeMachine(hostname: string, folder: string): Promise<void> {
  await run("mount", ["--make-rshared", "/"]);
  await run("mount", ["-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"]);
  for (const own of ["/var/lib", "/var/log"]) {
    const source = join(folder, own.slice(1).replace("/", "-"));
    await mkdir(source, { recursive: true });
    await run("mount", ["--bind", source, own]);
  }
  await writeFile("/proc/sys/kernel/hostname", hostname);
  for (const [setting, value] of Object.entries(wantedSettings)) await pretend(setting, value);
  await makeNetwork();
}

/**
 * The kubelet changes these where they are otherwise, and no namespace keeps them apart: the whole machine would panic at
 * its next oops, long after the cluster is gone.
 */
const wantedSettings = {
  "vm/overcommit_memory": 1,
  "vm/panic_on_oom": 0,
  "kernel/panic": 10,
  "kernel/panic_on_oops": 1,
  "kernel/keys/root_maxkeys": 1_000_000,
  "kernel/keys/root_maxbytes": 25_000_000,
} as const;

/** Lets those who are in the node's namespaces read that the machine is set so. */
async function pretend(setting: string, value: number): Promise<void> {
  const file = join("/run", setting.replaceAll("/", "."));
  await writeFile(file, `${value}\n`);
  await run("mount", ["--bind", file, join("/proc/sys", setting)]);
}

/** The node's address is on a bridge with nothing in it: not every kernel has dummy devices. */
async function makeNetwork(): Promise<void> {
  const device = "node0";
  await run("ip", ["link", "set", "lo", "up"]);
  await run("ip", ["link", "add", device, "type", "bridge"]);
  await run("ip", ["address", "add", `${network.node}/${network.nodePrefix}`, "dev", device]);
  await run("ip", ["link", "set", device, "up"]);
  // Without a default route no address of a Service could be reached; what it is for does not leave the bridge.
  await run("ip", ["route", "add", "default", "via", network.node]);
  await writeFile("/proc/sys/net/ipv4/ip_forward", "1");
}
