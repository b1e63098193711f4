import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { reportOf } from "./pod-report.ts";
import { sessionSeenOf } from "./session-seen.ts";

const report = (status: object | undefined) =>
  reportOf(
    sessionSeenOf({
      metadata: { namespace: "agents", name: "s", uid: "u", resourceVersion: "1" },
      spec: { group: "helper", wake: { wanted: true, epoch: 3 } },
      ...(status && { status }),
    }),
  );
const ready = (status: string, reason: string) => ({
  conditions: [
    { type: "Other", status: "False", reason: "Odd", message: "Odd." },
    { type: "Ready", status, reason, message: `It is ${reason}.` },
  ],
});

describe("what the status of a Session says of its pod", () => {
  const base = { session: "agents/s", epoch: 3, podUid: undefined, reason: undefined, drainRequested: false };
  const rows = [
    { status: undefined, is: undefined },
    { status: { phase: "Asleep", epoch: 3 }, is: undefined },
    { status: { phase: "Waking" }, is: undefined },
    {
      status: { phase: "Waking", epoch: 3, podUid: "p", ...ready("False", "Starting") },
      is: { ...base, podUid: "p", phase: "Starting" },
    },
    {
      status: { phase: "Waking", epoch: 3, ...ready("False", "NodeFull") },
      is: { ...base, phase: "Starting", reason: "It is NodeFull." },
    },
    {
      status: { phase: "Awake", epoch: 3, podUid: "p", ...ready("True", "Awake") },
      is: { ...base, podUid: "p", phase: "Running" },
    },
    {
      status: { phase: "Awake", epoch: 3, podUid: "p", ...ready("False", "PodLost") },
      is: { ...base, podUid: "p", phase: "Starting", reason: "It is PodLost." },
    },
    {
      status: { phase: "Failed", epoch: 3, ...ready("False", "QuotaExceeded") },
      is: { ...base, phase: "Failed", reason: "It is QuotaExceeded." },
    },
    {
      status: { phase: "Awake", epoch: 3, drainRequested: { epoch: 3, reason: "x" } },
      is: { ...base, phase: "Running", drainRequested: true },
    },
    {
      status: { phase: "Awake", epoch: 3, drainRequested: { epoch: 2, reason: "x" } },
      is: { ...base, phase: "Running" },
    },
  ];
  for (const { status, is } of rows) it(JSON.stringify(status ?? {}), () => assert.deepEqual(report(status), is));
});
