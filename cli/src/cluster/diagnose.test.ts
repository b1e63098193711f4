import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { diagnose, staleLeaseMs } from "./diagnose.ts";
import type { SessionFacts } from "./facts.ts";

const row = { phase: "Waking", epoch: 3, pending: 1, reason: undefined, open: undefined, dead: undefined };
const session = { suspended: false, wanted: true, wantedEpoch: 3, phase: "Waking", epoch: 3, notReady: undefined };
const container = { name: "agent", isReady: true, restarts: 0, waiting: undefined };
const proxy = { ...container, name: "credential-proxy" };
const pod = {
  name: "helper-0123456789ab-3",
  epoch: 3,
  phase: "Running",
  isEnding: false,
  unscheduled: undefined,
  containers: [proxy, container],
};
/** All is well, and a message waits for the agent's next turn. */
const well: SessionFacts = {
  name: "helper-0123456789ab",
  namespace: "agents",
  routerTrouble: undefined,
  row: { ...row, open: { state: "pending", attempt: 0, reason: undefined } },
  session,
  group: { suspended: false, trouble: undefined },
  operator: { trouble: undefined, leaseAgeMs: 1_000 },
  pod,
};
const notReady = (reason: string) => ({ session: { ...session, notReady: { reason, message: "It says why." } } });

describe("the first thing that is wrong with a session", () => {
  const cases: [string, Partial<SessionFacts>, RegExp][] = [
    [
      "it does not exist",
      { row: undefined, session: "missing" },
      /^no session "helper-0123456789ab" is in .*"agents"$/,
    ],
    [
      "nobody knows whether it exists",
      { row: undefined, session: "missing", routerTrouble: "no router" },
      /no session .* could not be asked: no router/,
    ],
    ["it is paused", { session: { ...session, suspended: true } }, /paused this session/],
    ["its group is paused", { group: { suspended: true, trouble: undefined } }, /paused its agent group/],
    ["its group is gone", { group: "missing" }, /agent group does not exist/],
    ["its group is not ready", { group: { suspended: false, trouble: "No volume." } }, /not ready: No volume/],
    ["the router is away", { routerTrouble: "not ready" }, /router could not be asked: not ready/],
    ["it has no Session object", { session: "missing", pod: "missing" }, /Session object does not exist/],
    ["no operator runs", { operator: { trouble: "no pod", leaseAgeMs: 1 } }, /operator does not run: no pod/],
    [
      "no operator leads",
      { operator: { trouble: undefined, leaseAgeMs: staleLeaseMs + 1 } },
      /no operator leads: .* 60 s ago/,
    ],
    [
      "no operator has a Lease",
      { operator: { trouble: undefined, leaseAgeMs: "missing" } },
      /^no operator leads: it has no Lease$/,
    ],
    [
      "the person may see neither it nor the router",
      { row: undefined, session: "forbidden", routerTrouble: "no right" },
      /^you may not look at its Session \(need get sessions\.copepod\.dev .*"agents"\), .* could not be asked: no right$/,
    ],
    [
      "the person may not see it, and the router knows none",
      { row: undefined, session: "forbidden" },
      /^you may not look .* shows you none of that name$/,
    ],
    [
      "the person sees only what the router knows",
      { row: { ...row, reason: "The image is missing." }, session: "forbidden", group: "forbidden", pod: "forbidden" },
      /^you may not look at its Session .*; to the router it is Waking \(The image is missing\.\)$/,
    ],
    [
      "the router waits, perhaps for a group that may not be seen",
      { session: { ...session, wanted: false }, group: "forbidden" },
      /gives no reason; you may not look at its agent group \(need get agentgroups\.copepod\.dev in/,
    ],
    [
      "it starts with a pod that may not be seen",
      { pod: "forbidden" },
      /^it is Waking, and .* pod \(need list pods in/,
    ],
    [
      "the router waits",
      { session: { ...session, wanted: false }, row: { ...row, reason: "Five sessions are awake." } },
      /does not ask for a pod: Five sessions/,
    ],
    [
      "a quota keeps it asleep, whose cure is another than that of a back-off",
      {
        session: {
          ...session,
          wanted: false,
          phase: "Failed",
          notReady: { reason: "QuotaExceeded", message: "5 pods." },
        },
        row: { ...row, phase: "Failed", reason: "5 pods." },
      },
      /^Failed \(QuotaExceeded\): 5 pods\.$/,
    ],
    ["its image is missing", notReady("ImageMissing"), /^Waking \(ImageMissing\): It says why/],
    ["it could not start, for a new reason", notReady("SomethingNew"), /SomethingNew/],
    ["it has no pod yet", { pod: "missing" }, /epoch 3\), and has no pod yet$/],
    [
      "it has no pod, and nobody may see who leads",
      { pod: "missing", operator: { trouble: undefined, leaseAgeMs: "forbidden" } },
      /could not be seen/,
    ],
    ["its former pod ends", { pod: { ...pod, isEnding: true } }, /former pod .* still ending/],
    ["a pod of an older wake is left", { pod: { ...pod, epoch: 2 } }, /former pod/],
    ["no volume is made for it", { pod: { ...pod, containers: [] } }, /has no node yet/],
    ["no node takes it", { pod: { ...pod, unscheduled: "0/1 nodes" } }, /no node takes its pod .*: 0\/1 nodes/],
    [
      "a container does not start",
      { pod: { ...pod, containers: [proxy, { ...container, isReady: false, waiting: "CrashLoopBackOff: later" }] } },
      /container agent does not run: CrashLoopBackOff/,
    ],
    [
      "a container is being made",
      { pod: { ...pod, containers: [{ ...proxy, isReady: false, waiting: "ContainerCreating" }] } },
      /ContainerCreating/,
    ],
    [
      "the proxy has no router",
      { pod: { ...pod, containers: [{ ...proxy, isReady: false }, container] } },
      /credential-proxy runs but is not ready: .*refuses its token/,
    ],
    [
      "the agent is not ready",
      { pod: { ...pod, containers: [proxy, { ...container, isReady: false, restarts: 2 }] } },
      /container agent runs but is not ready \(restarted 2 times\)/,
    ],
    [
      "its message fails",
      { row: { ...row, open: { state: "pending", attempt: 3, reason: "Overloaded." } } },
      /failed 3 times; the last time: Overloaded/,
    ],
  ];
  for (const [name, facts, what] of cases) {
    it(`is that ${name}`, () => {
      const diagnosis = diagnose({ ...well, ...facts });
      assert.match(diagnosis.what, what);
      assert.equal(diagnosis.isWrong, true);
      assert.match(diagnosis.cure ?? "", /\.$/);
    });
  }
});

describe("a session with which nothing is wrong", () => {
  const asleep = { ...row, phase: "Asleep", pending: 0 };
  const cases: [string, Partial<SessionFacts>, RegExp][] = [
    ["sleeps", { row: asleep, session: { ...session, wanted: false }, pod: "missing" }, /it sleeps/],
    [
      "sleeps after a message that was given up",
      { row: { ...asleep, dead: "01A: expired" } },
      /given up \(01A: expired/,
    ],
    ["takes its message in the next turn", {}, /next turn/],
    ["works", { row: { ...row, open: { state: "leased", attempt: 1, reason: undefined } } }, /has taken the message/],
    [
      "works in a pod that may not be seen",
      { session: { ...session, phase: "Awake" }, group: "forbidden", pod: "forbidden" },
      /next turn/,
    ],
    [
      "works although its group lacks something",
      { session: { ...session, phase: "Awake" }, group: { suspended: false, trouble: "No key." } },
      /next turn/,
    ],
    ["has nothing to do yet", { row: { ...row, pending: 0 } }, /it is Waking, and nothing waits/],
  ];
  for (const [name, facts, what] of cases) {
    it(name, () => {
      const diagnosis = diagnose({ ...well, ...facts });
      assert.match(diagnosis.what, what);
      assert.equal(diagnosis.isWrong, false);
    });
  }
});
