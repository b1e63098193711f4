import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { factsOf } from "./facts.ts";
import { seePod } from "./pod-seen.ts";

function refused(container: string) {
  const message = `failed to generate container "${container}" spec: no command specified`;
  const waiting = { reason: "CreateContainerError", message };
  const containerStatuses = [{ name: "agent", ready: false, restartCount: 0, state: { waiting } }];
  return factsOf(seePod({ metadata: { name: "a-1" }, status: { containerStatuses } })).delay;
}

describe("what is seen of a pod", () => {
  it("says the same of a container that is refused again, whose id is another one", () => {
    const first = refused("ab".repeat(32));
    assert.match(first?.message ?? "", /^CreateContainerError: .* no command specified$/);
    assert.deepEqual(refused("cd".repeat(32)), first);
  });

  const crashes = (state: object, restartCount: number) => {
    const containerStatuses = [{ name: "agent", ready: false, restartCount, state }];
    return factsOf(seePod({ metadata: { name: "a-1" }, status: { containerStatuses } })).crashes?.reason;
  };

  it("counts restarts only against a container that waits for the next one: one that runs may be unready for another cause", () => {
    const waiting = { waiting: { reason: "CrashLoopBackOff" } };
    assert.equal(crashes(waiting, 5), "CrashLoop");
    assert.equal(crashes(waiting, 4), undefined);
    assert.equal(crashes({ running: {} }, 50), undefined);
  });
});
