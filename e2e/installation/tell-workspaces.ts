import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { containers } from "@copepod/core/cluster";
import type { Cannot } from "./cannot.ts";
import { ClusterSystem } from "./cluster-system.ts";
import { agentsNamespace, type Installation, patienceMs } from "./installation.ts";
import { type Person, person } from "./people.ts";

const modes = ["ReadWriteOnce", "ReadWriteMany"] as const;
/** Which class has volumes of the mode: a cluster's own may have both. */
const classes = { ReadWriteOnce: "standard", ReadWriteMany: "shared" };

/** Two people, two agent groups, one volume that the groups share. */
export function tellWorkspaces(its: () => Installation, { shareVolumes }: Cannot): void {
  for (const mode of modes) {
    describe(`two agent groups that share a ${mode} workspace`, () => {
      const skip = mode === "ReadWriteMany" && shareVolumes;
      it("see what one of them wrote there, and nothing else of each other", { timeout: 300_000, skip }, async () => {
        const installation = its();
        await using ann = await person(installation, "ann", "one");
        await using bob = await person(installation, "bob", "two");
        await using stranger = await person(installation, "mallory", "one");
        await using _system = await ClusterSystem.start(installation, resourcesFor(mode, ann, bob));
        await ann.talk.ask("notes", "hello", patienceMs);
        await bob.talk.ask("notes", "hello", patienceMs);
        const shell = (group: string, script: string) => inAgent(installation, group, script);
        await shell(
          "one",
          "echo shared > /team/library/note.txt; echo mine > /agent/own.txt; echo ours > /workspace/w.txt",
        );
        assert.equal(await shell("two", "cat /team/library/note.txt"), "shared\n");
        assert.equal(await shell("two", "ls /agent/own.txt /workspace/w.txt 2>/dev/null || echo none"), "none\n");
        await assert.rejects(stranger.talk.say("notes", "hello"), { code: "senderUnknown" });
      });
    });
  }
}

async function inAgent(installation: Installation, group: string, script: string): Promise<string> {
  const [pod] = await installation.pods(agentsNamespace, `copepod.dev/component=session,copepod.dev/group=${group}`);
  assert.ok(pod, `a session of ${group} is awake`);
  const args = ["exec", pod.metadata.name, `--namespace=${agentsNamespace}`, `--container=${containers.agent}`];
  return await installation.ask(...args, "--", "sh", "-c", script);
}

const volumeOf = (mode: (typeof modes)[number]) => ({
  ...{ size: "1Gi", storageClassName: classes[mode] },
  ...{ accessModes: [mode], retain: "Delete" },
});

const resourcesFor = (mode: (typeof modes)[number], ann: Person, bob: Person): object[] => [
  { kind: "Workspace", metadata: { name: "library" }, spec: volumeOf(mode) },
  ...["one", "two"].map((name) => ({
    kind: "AgentGroup",
    metadata: { name },
    spec: { teamWorkspaces: [{ name: "library" }], storage: volumeOf(mode) },
  })),
  { kind: "Channel", metadata: { name: "terminal" }, spec: { type: "terminal" } },
  ...["one", "two"].map((group, index) => ({
    kind: "Wiring",
    metadata: { name: group },
    spec: { channel: "terminal", conversation: { kind: "Direct" }, group, senders: "Known", priority: index },
  })),
  userOf("ann", ann.identity, "one"),
  userOf("bob", bob.identity, "two"),
];

const userOf = (name: string, identity: string, group: string): object => ({
  kind: "User",
  metadata: { name },
  spec: { identities: [identity], roles: [{ role: "Member", group }] },
});
