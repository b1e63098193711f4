import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { until } from "../../support/until.ts";
import { processesOf, zombiesBelow } from "../testing/footprint.ts";
import { fixture, gate, outputOf, patienceMs, Stage } from "../testing/stage.ts";
import { tellStory } from "../testing/story.ts";

const can = process.platform === "linux" && process.getuid?.() === 0;
const skip = gate(can, "a native cluster needs root on Linux");

describe("a native cluster", { skip }, () => {
  tellStory({ provider: "native", life: "node", nodeOf: (name) => name, cannot: {} }, (stage) => {
    it("has an address in its network, at which pods reach a program that a command starts there", async () => {
      assert.match(outputOf(await stage.cluster("exec", "--", "ip", "-o", "address")), /10\.200\.0\.1\/24/);
      const serve = 'require("node:http").createServer((_, answer) => answer.end("from outside")).listen(9999)';
      const [node, args, env] = stage.words("exec", "--", process.execPath, "--eval", serve);
      const program = spawn(node, args, { stdio: "ignore", env });
      const isReached = async () => (await stage.read("friend", "10.200.0.1", 9999)).includes("from outside");
      try {
        await until("the pod reaches the program", isReached, patienceMs);
      } finally {
        program.kill();
        await once(program, "exit");
      }
      assert.equal(await isReached(), false);
    });

    it("starts a component again that is killed", async () => {
      const [scheduler] = await processesOf(stage.name, "kube-scheduler");
      assert.ok(scheduler);
      process.kill(scheduler, "SIGKILL");
      await until("another one runs", async () => {
        const [next] = await processesOf(stage.name, "kube-scheduler");
        return next !== undefined && next !== scheduler;
      });
      await stage.ask("delete", "pod", "loaded");
      await stage.ask("apply", "-f", fixture("loaded-pod.yaml"));
      await stage.ready("loaded", "default");
      assert.deepEqual(await zombiesBelow(await stage.life()), [], "the shims of pods that are gone");
    });

    it("keeps its name from clusters of other state folders", async () => {
      const namesake = new Stage({ provider: "native", life: "node" });
      const { code, complaint } = await namesake.cluster("up", "--provider=native");
      assert.equal(code, 4);
      assert.match(complaint, /of another state folder runs: choose another --name/);
      await namesake.down();
      await namesake.remove();
      assert.ok(await stage.readsPage("friend"), "the first one serves on");
    });

    it("runs beside another one, of which `down` removes all even when its state is not readable", async () => {
      const other = stage.beside();
      await other.up();
      const objects = await other.ask("get", "nodes,namespaces", "--output=name");
      assert.match(objects, new RegExp(`node/${other.name}`));
      assert.doesNotMatch(objects, /namespace\/story/);
      // The end of the story counts what it leaves.
      await writeFile(join(other.folder, "cluster.json"), "of other code");
      await other.down();
      assert.ok(await stage.readsPage("friend"), "the first one serves on");
    });
  });
});
