import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { answering, someTurn, tellStories } from "./stories/stories.ts";
import { isAlive } from "./support/processes.ts";
import { System, terminalResources } from "./support/system.ts";
import { until } from "./support/until.ts";

tellStories((resources) => System.start(resources));

describe("a running system", () => {
  it("loses nothing by kill -9 of the supervisor: its children end, and the next start answers", async () => {
    await using system = await System.start(terminalResources());
    const { id, session } = await system.say("main", someTurn);
    await answering(system, session);
    const children = await system.processes();
    assert.ok(children.length >= 3);
    await system.end("SIGKILL");
    for (const { pid } of children) await until("a child is gone", async () => !(await isAlive(pid)));
    await system.up();
    assert.equal((await system.answerTo("main", id)).length, 1);
  });

  it("answers an unknown agent group with a code, and refuses nobody silently", async () => {
    await using system = await System.start(terminalResources());
    const say = { conversation: "x", group: "nobody", sender: "ann", text: "hi", dedupeKey: "1" };
    await assert.rejects(system.admin.say(say), { code: "groupMissing" });
    const rows = (await system.admin.listMessages({ state: "dead" })).items;
    assert.deepEqual(
      rows.map(({ code, text }) => [code, text]),
      [["groupMissing", ""]],
    );
  });

  it("keeps the last good state of a broken resource file, names the line, and recovers", async () => {
    await using system = await System.start(terminalResources());
    await system.writeFile(
      "0.yaml",
      "apiVersion: copepod.dev/v1alpha1\nkind: AgentGroup\nmetadata: {name: helper}\nspec:\n  instrutions: x\n",
    );
    const [problem] = await until("the problem is known", async () => {
      const { problems } = await system.admin.status({});
      return problems.length > 0 && problems;
    });
    assert.equal(problem?.line, 5);
    assert.match(`${problem?.path} ${problem?.reason}`, /instrutions unknown field/);
    assert.match(await system.ask("main", "still good?"), /still good\?/);
    await system.writeResource("0.yaml", { kind: "AgentGroup", metadata: { name: "helper" }, spec: {} });
    await until("the problem is gone", async () => (await system.admin.status({})).problems.length === 0);
  });

  it("serves health and metrics", async () => {
    await using system = await System.start(terminalResources());
    await system.ask("main", "hello");
    const { Agent, fetch } = await import("undici");
    const dispatcher = new Agent({ connect: { socketPath: `${system.home}/run/admin.sock` } });
    const metrics = await (await fetch("http://admin/metrics", { dispatcher })).text();
    assert.match(metrics, /copepod_queue_rows\{direction="in",state="done"\} 1/);
    assert.equal((await fetch("http://admin/readyz", { dispatcher })).status, 200);
    await dispatcher.destroy();
  });
});
