import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sharedNodeOf } from "./neighbours.ts";
import { group, workspace } from "./testing/samples.ts";

const wide = { accessModes: ["ReadWriteMany"] };
const uses = (name: string, workspaces: readonly string[], storage: object = {}) =>
  group({ storage, teamWorkspaces: workspaces.map((one) => ({ name: one })) }, name);
const workspaces = (...all: readonly ReturnType<typeof workspace>[]) =>
  new Map(all.map((one) => [one.metadata.name, one]));

describe("the node that pods have to share", () => {
  it("is the group's own for a volume of one node", () => {
    assert.equal(sharedNodeOf(uses("a", []), [uses("a", []), uses("b", [])], new Map()), "a");
  });

  it("is any for a volume of many nodes", () => {
    assert.equal(sharedNodeOf(uses("a", [], wide), [], new Map()), undefined);
    const many = workspaces(workspace("w", wide));
    assert.equal(sharedNodeOf(uses("a", ["w"], wide), [uses("b", ["w"])], many), undefined);
  });

  it("is the same for groups that share a workspace of one node, also by way of others", () => {
    const groups = [uses("c", ["v"]), uses("b", ["v", "w"]), uses("a", ["w"], wide), uses("d", [])];
    const all = workspaces(workspace("v"), workspace("w"));
    assert.deepEqual(
      groups.map((one) => sharedNodeOf(one, groups, all)),
      ["workspace.v", "workspace.v", "workspace.v", "d"],
    );
  });

  it("is not decided by a workspace that does not exist", () => {
    const groups = [uses("a", ["gone"]), uses("b", ["gone"])];
    assert.deepEqual(
      groups.map((one) => sharedNodeOf(one, groups, new Map())),
      ["workspace.gone", "workspace.gone"],
    );
  });

  it("stays the same when a group joins, whatever its name", () => {
    const [old, more] = [uses("m", ["w"]), uses("a", ["w"])];
    const all = workspaces(workspace("w"));
    assert.equal(sharedNodeOf(old, [old, more], all), sharedNodeOf(old, [old], all));
  });
});
