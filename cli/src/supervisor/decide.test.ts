import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decide, type PodState, type Step, type Wish } from "./decide.ts";

const group = "default/helper";
const rules = { group: "helper", upstreams: [], rules: [] };
const wanted = (epoch: number): Wish => ({ wanted: true, epoch, group, rules, team: [] });
const unwanted = (epoch: number): Wish => ({ wanted: false, epoch, group, rules, team: [] });
const pod = (epoch: number, stage: PodState["stage"] = "up"): PodState => ({ epoch, stage });
const start = (epoch: number): Step => ({ kind: "start", wish: wanted(epoch), reason: "Wanted" });
const end = (reason: "NotWanted" | "NewerEpoch" | "Closing"): Step => ({ kind: "end", reason });

const cases: [string, Wish | undefined, PodState | undefined, boolean, Step | undefined][] = [
  ["nothing is done for a session that nobody spoke of", undefined, undefined, false, undefined],
  ["a wanted session gets a pod of its epoch", wanted(3), undefined, false, start(3)],
  ["an unwanted session without a pod stays so", unwanted(3), undefined, false, undefined],
  ["a pod of the wanted epoch stays", wanted(3), pod(3), false, undefined],
  ["a pod that is not wanted ends", unwanted(3), pod(3), false, end("NotWanted")],
  ["an older pod ends before the new one starts", wanted(4), pod(3), false, end("NewerEpoch")],
  ["a new pod waits until the old one is gone", wanted(4), pod(3, "ending"), false, undefined],
  ["an ending pod is not asked twice", unwanted(3), pod(3, "ending"), false, undefined],
  ["a failed pod is not started again for the same epoch", wanted(3), pod(3, "failed"), false, undefined],
  ["a failed pod makes room for a greater epoch", wanted(4), pod(3, "failed"), false, end("NewerEpoch")],
  ["a failed pod goes when it is not wanted any more", unwanted(3), pod(3, "failed"), false, end("NotWanted")],
  ["nothing starts while the supervisor ends", wanted(3), undefined, true, undefined],
  ["every pod ends with the supervisor", wanted(3), pod(3), true, end("Closing")],
];

describe("the next step for a session", () => {
  for (const [sentence, wish, present, closing, expected] of cases) {
    it(sentence, () => assert.deepEqual(decide({ wish, pod: present, closing }), expected));
  }
});
