import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { contextSchema } from "@copepod/core/mailbox-api";
import { buildResources } from "../resources/testing.ts";
import { Contexts } from "./context.ts";

const key = { kind: "Group", conversation: undefined, thread: undefined } as const;

const build = (spec: object) => buildResources([{ kind: "AgentGroup", metadata: { name: "helper" }, spec }]);

function start(spec: object) {
  const world = { resources: build(spec), made: [] as string[] };
  const store = {
    wish: async () => ({ session: "default/s", group: "default/helper", key, wanted: true, epoch: 1 }),
    destinations: async (session: string) => {
      world.made.push(session);
      return [];
    },
  };
  return { world, contexts: new Contexts(store, { current: () => world.resources }) };
}

describe("the context of a session", () => {
  it("has what its agent group says about the agent", async () => {
    const { contexts } = start({
      agent: {
        ...{ provider: "claude", model: "claude-sonnet-4-5", effort: "High" },
        env: [{ name: "EDITOR", value: "ed" }],
      },
      tools: {
        mcpServers: [{ name: "notes", command: "notes", args: ["-v"], env: [{ name: "A", value: "1" }] }],
        skills: ["letters"],
      },
    });
    const context = contextSchema.parse(await contexts.of("default/s"));
    assert.deepEqual(context.agent, {
      model: "claude-sonnet-4-5",
      effort: "High",
      env: { EDITOR: "ed" },
      mcpServers: [{ name: "notes", command: "notes", args: ["-v"], env: { A: "1" } }],
      skills: ["letters"],
    });
  });

  it("leaves to the harness what the group does not say", async () => {
    assert.deepEqual((await start({}).contexts.of("default/s")).agent, { mcpServers: [], skills: [] });
  });

  it("has another version when any of it changes, and the same when nothing does", async () => {
    const { world, contexts } = start({ agent: { model: "a" } });
    const { version } = await contexts.of("default/s");
    world.resources = build({ agent: { model: "a" } });
    assert.equal((await contexts.of("default/s")).version, version);
    const versions = new Set([version]);
    for (const spec of [{ agent: { model: "b" } }, { agent: { effort: "Low" } }, { tools: { skills: ["x"] } }]) {
      world.resources = build(spec);
      versions.add((await contexts.of("default/s")).version);
    }
    assert.equal(versions.size, 4);
  });

  it("is kept for those who ask, and not for all who ever did", async () => {
    const { world, contexts } = start({});
    for (let session = 0; session < 600; session++) {
      await contexts.of(`default/s${session}`);
      await contexts.of("default/busy");
    }
    assert.equal(world.made.length, 601);
    world.made.length = 0;
    for (const session of ["default/busy", "default/s599", "default/s0"]) await contexts.of(session);
    assert.deepEqual(world.made, ["default/s0"]);
  });

  it("tells of the tools and of files", async () => {
    const { instructions } = await start({ instructions: "Be kind." }).contexts.of("default/s");
    assert.match(instructions, /# Tools and files\n[\s\S]*send_message[\s\S]*send_file/);
    assert.match(instructions, /# Your instructions\n\nBe kind\.\n$/);
  });
});
