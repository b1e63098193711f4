import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { until } from "../../support/until.ts";
import { writeImageArchive } from "../images/archive.ts";
import { writeBusyboxImage } from "../images/standard.ts";
import { type Footprint, footprint, footprintKinds } from "./footprint.ts";
import { findBusybox, fixture, outputOf, patienceMs, Stage, type StageOptions, webAddress } from "./stage.ts";

export interface Cast extends StageOptions {
  readonly nodeOf: (cluster: string) => string;
  /** Why it can't do what others can. */
  readonly cannot: Partial<Record<"beKilled" | "enforcePolicies" | "denyOtherNames", string>>;
  /** What is compared with the machine as it was before: all, without this. */
  readonly leaves?: readonly (keyof Footprint)[];
}

/**
 * The life of a cluster, which every provider can tell.
 * @param tellMore what this provider alone can do, while the cluster runs
 */
export function tellStory(cast: Cast, tellMore?: (stage: Stage) => void): void {
  const stage = new Stage(cast);
  const other = stage.beside();
  const look = async () => await footprint([stage.name, other.name], stage.home);
  let earlier: Footprint;
  before(async () => {
    earlier = await look();
  });
  after(async () => {
    for (const each of [stage, other]) await each.cluster("down");
    await stage.remove();
  });
  tellStart(stage, cast);
  tellPods(stage, cast);
  tellMore?.(stage);
  tellReturn(stage, cast);

  it("leaves nothing when it is taken down, and there is nothing to take down again", async () => {
    const kinds = cast.leaves ?? footprintKinds;
    const during = await look();
    for (const kind of kinds.filter((kind) => ["processes", "cgroups"].includes(kind)))
      assert.notDeepEqual(during[kind], [], `${kind} are seen`);
    await stage.down();
    await stage.down();
    await stage.remove();
    const left = await look();
    for (const kind of kinds) assert.deepEqual(left[kind], earlier[kind], kind);
  });
}

function tellStart(stage: Stage, { nodeOf }: Cast): void {
  it("is made by one line, and reached from outside of its network", async () => {
    await stage.up();
    assert.match(await stage.ask("get", "nodes"), new RegExp(`^${nodeOf(stage.name)} +Ready .* v1\\.35\\.`, "m"));
    assert.equal((await stage.cluster("status")).code, 0);
  });

  it("is left as it is when it is made again", async () => {
    const look = async () => [await stage.life(), await stage.ask("get", "nodes", "--output=jsonpath={..uid}")];
    const before = await look();
    await stage.up();
    assert.deepEqual(await look(), before);
  });

  it("gives a command its network and its kubeconfig, and ends as it does", async () => {
    const { code, output } = await stage.cluster("exec", "--", "sh", "-c", "kubectl get nodes; exit 7");
    assert.equal(code, 7);
    assert.match(output, / Ready /);
  });
}

function tellPods(stage: Stage, { cannot }: Cast): void {
  it("runs a pod of two containers that share a folder of a volume, as Pod Security “restricted” has it", async () => {
    outputOf(await stage.cluster("load", await writeBusyboxImage(await findBusybox(), stage.home)));
    await stage.ask("apply", "-f", fixture("story.yaml"));
    for (const pod of ["web", "friend", "stranger"]) await stage.ready(pod);
    await until("the page is written", () => stage.readsPage("friend"), patienceMs);
    assert.match(await stage.ask("get", "pvc", "--namespace=story"), /Bound.*standard/);
  });

  it("refuses a pod that “restricted” does not allow", async () => {
    const { code, complaint } = await stage.kubectl("apply", "-f", fixture("root-pod.yaml"));
    assert.notEqual(code, 0);
    assert.match(complaint, /violates PodSecurity "restricted/);
  });

  it("keeps a log of what is written", async () => {
    const log = await readFile(join(stage.folder, "audit.log"), "utf8");
    assert.match(log, /"verb":"create".*"resource":"pods","namespace":"story","name":"web"/);
  });

  it("answers names of the cluster", async () => {
    const { output } = await stage.shell("friend", `nslookup ${webAddress}`);
    assert.match(output, new RegExp(`Name:\\s+${webAddress}\\s+Address: 10\\.96\\.`));
  });

  it("answers no other names", { skip: cannot.denyOtherNames }, async () => {
    assert.match((await stage.shell("friend", "nslookup example.com")).output, /can't find example.com/);
  });

  it("enforces a network policy", { skip: cannot.enforcePolicies }, async () => {
    assert.ok(await stage.readsPage("stranger"), "without a policy everyone may");
    await stage.ask("apply", "-f", fixture("policy.yaml"));
    await until("the stranger is blocked", async () => !(await stage.readsPage("stranger")), patienceMs);
    assert.ok(await stage.readsPage("friend"));
    await stage.ask("delete", "-f", fixture("policy.yaml"));
    await until("the stranger is let in again", () => stage.readsPage("stranger"), patienceMs);
  });

  it("runs an image that was loaded, and refuses what is none", async () => {
    const files = { "/hello": fixture("hello.sh"), "/bin/sh": await findBusybox() };
    const image = { name: "localhost/loaded", tag: "1", files, entrypoint: ["/bin/sh", "/hello"] };
    outputOf(await stage.cluster("load", await writeImageArchive(image, stage.home)));
    await stage.ask("apply", "-f", fixture("loaded-pod.yaml"));
    await stage.ready("loaded", "default");
    assert.equal(await stage.ask("logs", "loaded"), "loaded\n");
    assert.equal((await stage.cluster("load", fixture("hello.sh"))).code, 1);
  });
}

function tellReturn(stage: Stage, { cannot }: Cast): void {
  it("comes back with its pods and their files after it was killed", { skip: cannot.beKilled }, async () => {
    const uidOf = () => stage.ask("get", "pod", "web", "--namespace=story", "--output=jsonpath={.metadata.uid}");
    const [uid, killed] = [await uidOf(), await stage.life()];
    assert.ok(killed);
    process.kill(killed, "SIGKILL");
    assert.notEqual((await stage.cluster("status")).code, 0);
    await stage.up();
    await until("the pod serves its page", () => stage.readsPage("friend"), patienceMs);
    assert.equal(await uidOf(), uid);
  });
}
