import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { logFile, startProcess, stopProcess } from "../machine/processes.ts";
import { StatusWriter } from "./node-status.ts";
import { describeStatus, readStatus, waitUntilReady } from "./progress.ts";
import { nodeFolderOf, nodeProcess, parts, statusFileOf } from "./spec.ts";

const { signal } = new AbortController();

describe("the progress of a node", () => {
  let folder: string;
  let said: string[];
  const cluster = () => ({ folder, signal, say: (line: string) => void said.push(line) });

  beforeEach(async () => {
    said = [];
    folder = await mkdtemp(join(tmpdir(), "progress-"));
    await mkdir(nodeFolderOf(folder));
    await startProcess({ folder, name: nodeProcess, command: ["sleep", "600"], signal });
  });

  afterEach(async () => {
    await stopProcess(folder, nodeProcess, { signal: "SIGKILL" });
    await rm(folder, { recursive: true });
  });

  async function write(...missing: readonly string[]): Promise<void> {
    const status = new StatusWriter(statusFileOf(folder));
    for (const part of parts) if (!missing.includes(part)) await status.set(part, "ready");
  }

  it("is said part by part, until all are ready", async () => {
    await write();
    await waitUntilReady(cluster(), 5_000);
    assert.equal(said.length, parts.length);
    assert.match(said[0] ?? "", /^etcd is ready \(/);
    assert.equal(describeStatus(await readStatus(folder), true).state, "up");
  });

  it("names what does not get ready, and shows the end of its log", async () => {
    await write("kubelet", "node");
    await writeFile(logFile(folder, "kubelet"), "the kubelet's reason\n");
    await assert.rejects(waitUntilReady(cluster(), 0), ({ message }: Error) => {
      assert.match(message, /not ready: kubelet, node;/);
      assert.ok(message.includes(`${logFile(folder, "kubelet")}:\nthe kubelet's reason`), message);
      return true;
    });
  });

  it("ends when the node has ended", async () => {
    await write("node");
    await writeFile(logFile(folder, nodeProcess), "unshare: not permitted\n");
    await stopProcess(folder, nodeProcess, { signal: "SIGKILL" });
    await assert.rejects(
      waitUntilReady(cluster(), 60_000),
      /the node has ended; .*node\.log:\nunshare: not permitted/s,
    );
  });

  it("calls a node broken that has ended, or has a part that does not run", async () => {
    await write();
    const status = await readStatus(folder);
    assert.ok(status);
    assert.equal(describeStatus(status, false).state, "broken");
    assert.equal(describeStatus({ ...status, kubelet: "restarting" }, true).state, "broken");
    assert.equal(describeStatus(undefined, false).state, "down");
  });
});
