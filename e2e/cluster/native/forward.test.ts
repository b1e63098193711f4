import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { startProcess } from "../machine/processes.ts";

const { signal } = new AbortController();
const module = new URL("forward.ts", import.meta.url).href;
const door = (port: number) =>
  `const { forward, receiveListener } = await import(${JSON.stringify(module)}); forward(await receiveListener(), ${port});`;

async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return address.port;
}

describe("a listener that a process gets from who starts it", () => {
  it("leads to a port of that process when who made it no longer listens, whatever comes between them", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "forward-"));
    const echo = createServer((socket) => socket.pipe(socket));
    const inner = await listening(echo);
    const listener = createServer((socket) => socket.destroy());
    const outer = await listening(listener);
    const node = [process.execPath, "--input-type=module", "--eval", door(inner)];
    try {
      // As below the shell that is the first process of the node's namespaces.
      const command = ["/bin/sh", "-c", '"$@" & wait "$!"', "sh", ...node] as const;
      const { pid } = await startProcess({ folder, name: "door", command, listener, signal });
      // The shell and its child.
      t.after(() => process.kill(-pid, "SIGKILL"));
      listener.close();
      const socket = connect(outer, "127.0.0.1");
      socket.write("there and back");
      const [received] = await once(socket, "data");
      assert.equal(String(received), "there and back");
      socket.destroy();
    } finally {
      echo.close();
      await rm(folder, { recursive: true });
    }
  });
});
