import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { controlPlaneGate } from "../support/control-plane.ts";
import { chartGate } from "./support/chart.ts";
import { operatorScenarios } from "./support/operator-scenarios.ts";
import { type Installation, type Program, type Right, RightsRig, readRights } from "./support/rights.ts";
import { routerScenarios } from "./support/router-scenarios.ts";
import { comes, type Scenario, Space } from "./support/space.ts";

const skip = (await controlPlaneGate()) || (await chartGate(["helm"]));

/** Programs that may not do all that others may need run at the same time, so many. */
const programsAtOnce = 5;
/** After the API server has said no, nothing may come for so long. */
const quietMs = 3_000;

const scenarios: Readonly<Record<Program, Readonly<Record<string, Scenario>>>> = {
  operator: operatorScenarios,
  router: routerScenarios,
};
const rights = readRights();
const callOf = ({ verb, resource }: Right): string => `${verb} ${resource}`;
/** What a program can't begin without stops it in all namespaces. */
const isOwn = ({ verb, place }: Right): boolean => verb === "list" || place === "system" || place === "cluster";
const isOfEvents = (right: Right): boolean => callOf(right) === "patch events";
const namespaceOf = (right: Right): string => `agents-${rights.indexOf(right)}`;

const scenarioOf = (right: Right): Scenario | undefined => scenarios[right.program][callOf(right)];

/** The right itself, and what has to be missing for its scenario. */
const missingFor = (right: Right): Right[] => {
  const calls = [callOf(right), scenarioOf(right)?.without];
  return rights.filter((one) => one.program === right.program && calls.includes(callOf(one)));
};

describe("each right of the chart's programs", { skip }, () => {
  let folder: string;
  let rig: RightsRig;
  const shared = new Map<Program, Installation>();

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "rights-"));
    rig = await RightsRig.start(folder);
    for (const [program, first] of [
      ["operator", "create serviceaccounts"],
      ["router", "create sessions"],
    ] as const) {
      const missing = new Map<string, readonly Right[]>([[`${program}-with-all`, []]]);
      for (const right of rights.filter((one) => !isOwn(one) && one.program === program))
        missing.set(namespaceOf(right), missingFor(right));
      const installation = await rig.install(`shared-${program}`, missing);
      shared.set(program, installation);
      await installation.start(program);
      await using space = new Space(installation, `${program}-with-all`);
      const look = await scenarios[program][first]?.begin(space);
      assert.ok(look && (await comes(look)), `${program} does not work with all rights`);
    }
  });

  after(async () => {
    for (const installation of shared.values()) await installation[Symbol.asyncDispose]();
    await rig?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  it("has a scenario that needs it", () => {
    const told = Object.entries(scenarios).flatMap(([program, table]) =>
      Object.keys(table).map((call) => `${program} ${call}`),
    );
    assert.deepEqual(told.toSorted(), rights.map((right) => `${right.program} ${callOf(right)}`).toSorted());
  });

  describe("of one namespace", { concurrency: true }, () => {
    for (const right of rights.filter((one) => !isOwn(one) && !isOfEvents(one)))
      it(titleOf(right), async () => {
        const installation = shared.get(right.program);
        assert.ok(installation);
        await using space = new Space(installation, namespaceOf(right));
        await prove(space, right);
      });
  });

  describe("that a program can't begin without", { concurrency: programsAtOnce }, () => {
    for (const right of rights.filter((one) => isOwn(one) || isOfEvents(one)))
      it(titleOf(right), async () => {
        const release = `own-${rights.indexOf(right)}`;
        await using own = await rig.install(release, new Map([[`${release}-agents`, [right]]]));
        await using space = new Space(own, `${release}-agents`);
        // That scenario runs the operator itself, by a clock that it can move.
        if (!isOfEvents(right)) await own.start(right.program);
        await prove(space, right);
      });
  });

  async function prove(space: Space, right: Right): Promise<void> {
    const scenario = scenarioOf(right);
    assert.ok(scenario, "no scenario needs it");
    const { installation, namespace } = space;
    const where = { agents: namespace, keys: namespace, system: installation.release, cluster: "" }[right.place];
    const refusal = `${installation.userOf(right.program)} ${scenario.refused ?? callOf(right)} in ${where}`;
    const look = await scenario.begin(space);
    let isDone = false;
    const isOver = async () => {
      isDone = await look();
      return isDone || (await rig.refusals()).has(refusal);
    };
    assert.ok(await comes(isOver), `nothing asks for it: ${refusal}`);
    assert.ok(!isDone && !(await comes(look, quietMs)), `not needed: ${scenario.name}`);
    await installation.grant(namespace, right);
    await scenario.again?.(space);
    assert.ok(await comes(look), `not with it either: ${scenario.name}`);
  }
});

function titleOf(right: Right): string {
  return `${right.program}, ${right.rule}: with ${callOf(right)} and not without, ${scenarioOf(right)?.name}`;
}
