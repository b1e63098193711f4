import { podGraceMs } from "@copepod/core/cluster";
import { apiGroup } from "@copepod/crds/definition";
import type { SessionFacts } from "./facts.ts";
import type { Seen } from "./objects.ts";
import { describeRight, type Right } from "./rights.ts";

/** The first thing that is wrong; or, when nothing is, how it stands. */
export interface Diagnosis {
  readonly isWrong: boolean;
  readonly what: string;
  readonly cure?: string;
}

/** A Lease that was not renewed for so long is nobody's. */
export const staleLeaseMs = 60_000;

/** From a message that waits to the container that should take it: the first link that is broken. Pure. */
export function diagnose(facts: SessionFacts): Diagnosis {
  for (const check of chain) {
    const found = check(facts);
    if (found) return found;
  }
  return atWork(facts);
}

type Check = (facts: SessionFacts) => Diagnosis | undefined;

const askForRight =
  "Ask an administrator of the cluster for this right; the ClusterRole `copepod-viewer` has all that is needed here.";

const wrong = (what: string, cure: string): Diagnosis => ({ isWrong: true, what, cure });
const fine = (what: string, cure?: string): Diagnosis => ({ isWrong: false, what, ...(cure && { cure }) });

const chain: readonly Check[] = [
  checkThere,
  checkSuspended,
  checkGroup,
  checkRouter,
  checkWork,
  checkObject,
  checkOperator,
  checkCondition,
  checkWanted,
  checkPodThere,
  checkPod,
  checkContainers,
];

/** What is there and may be seen. */
const seen = <T extends object>(found: Seen<T>): T | undefined => (typeof found === "string" ? undefined : found);

const mayNot = (what: string, right: Right): string => `you may not look at ${what} (need ${describeRight(right)})`;
const sessionUnseen = ({ namespace }: SessionFacts): string =>
  mayNot("its Session", { verb: "get", group: apiGroup, resource: "sessions", namespace });

function checkThere(facts: SessionFacts): Diagnosis | undefined {
  const { row, session, routerTrouble, name, namespace } = facts;
  if (row || seen(session)) return undefined;
  if (session === "forbidden") {
    const router = routerTrouble === undefined ? "shows you none of that name" : `could not be asked: ${routerTrouble}`;
    return wrong(`${sessionUnseen(facts)}, and the router ${router}`, askForRight);
  }
  const also = routerTrouble === undefined ? "" : `, and the router could not be asked: ${routerTrouble}`;
  return wrong(
    `no session "${name}" is in the namespace "${namespace}"${also}`,
    "`copepod get sessions` lists them. A session comes to be with its first message: look at wirings if there is none.",
  );
}

function checkSuspended({ session, group, name }: SessionFacts): Diagnosis | undefined {
  if (seen(session)?.suspended) return wrong("people have paused this session", `\`copepod resume session ${name}\`.`);
  return seen(group)?.suspended
    ? wrong("people have paused its agent group", "`copepod resume group <name>`, or `copepod resume`.")
    : undefined;
}

function checkGroup({ group, session }: SessionFacts): Diagnosis | undefined {
  if (group === "missing")
    return wrong("its agent group does not exist", "Apply the AgentGroup; its files are kept where its volume is.");
  // What is awake does without: its message says what it lacked.
  const trouble = seen(session)?.phase === "Awake" ? undefined : seen(group)?.trouble;
  return trouble === undefined
    ? undefined
    : wrong(`its agent group is not ready: ${trouble}`, "Mend what the sentence names: `copepod get agentgroups`.");
}

function checkRouter({ routerTrouble }: SessionFacts): Diagnosis | undefined {
  return routerTrouble === undefined
    ? undefined
    : wrong(`the router could not be asked: ${routerTrouble}`, "`copepod doctor` and `copepod logs router` say more.");
}

function checkWork({ row }: SessionFacts): Diagnosis | undefined {
  if (!row || row.pending > 0 || row.phase !== "Asleep") return undefined;
  return row.dead === undefined
    ? fine("it sleeps, since nothing waits for it: the next message wakes it")
    : fine(
        `it sleeps, since nothing waits for it; its last message without an answer was given up (${row.dead})`,
        "Mend that, then `copepod retry <id>`; `copepod get dead-letters` has the id.",
      );
}

function checkObject(facts: SessionFacts): Diagnosis | undefined {
  const { row, session } = facts;
  if (session === "forbidden") {
    const words = row?.reason === undefined ? "" : ` (${row.reason})`;
    return wrong(`${sessionUnseen(facts)}; to the router it is ${row?.phase}${words}`, askForRight);
  }
  return session === "missing"
    ? wrong(
        "the router knows it, but its Session object does not exist",
        "The router makes it: `copepod logs router` says why it could not (rights, or the API server).",
      )
    : undefined;
}

function checkOperator({ operator: { trouble, leaseAgeMs } }: SessionFacts): Diagnosis | undefined {
  if (trouble !== undefined)
    return wrong(`the operator does not run: ${trouble}`, "`copepod logs operator` and `copepod doctor` say more.");
  if (leaseAgeMs === "missing") return wrong("no operator leads: it has no Lease", "`copepod logs operator` says why.");
  return leaseAgeMs !== "forbidden" && leaseAgeMs > staleLeaseMs
    ? wrong(
        `no operator leads: its Lease was last renewed ${Math.round(leaseAgeMs / 1_000)} s ago`,
        "`copepod logs operator` says why it can't renew it; deleting its pod starts it anew.",
      )
    : undefined;
}

function checkWanted({ row, session, group, namespace }: SessionFacts): Diagnosis | undefined {
  if (seen(session)?.wanted !== false || !row || row.pending === 0) return undefined;
  const right = { verb: "get", group: apiGroup, resource: "agentgroups", namespace };
  const doubt = group === "forbidden" ? `; ${mayNot("its agent group", right)}` : "";
  return wrong(
    `a message waits, but the router does not ask for a pod: ${row.reason ?? "it gives no reason"}${doubt}`,
    "A limit or a back-off ends by itself; a message whose time has not come waits for it.",
  );
}

/** Cures by the reason of the condition Ready, null where nothing is wrong. `npm run check` compares them with the operator's. */
const cures: Readonly<Record<string, string | null>> = {
  Asleep: null,
  Starting: null,
  Draining: null,
  ImageMissing: "Load or push the image, or mend `agent.image` and the pull secrets. The router tries again by itself.",
  CrashLoop: "`copepod logs <session>` has its last words; `agent.image` or the settings of the group may be wrong.",
  ProviderUnknown: "Use a provider that the installation has an image for, or name one in `agent.image`.",
  MountRefused: "Ask the administrator for the mount (`sessions.mountPolicy` of the chart), or leave it out.",
  WorkspaceMissing: "Apply the Workspace, or take it out of `teamWorkspaces`.",
  VolumeMissing:
    "See the volume claim: `kubectl describe pvc`; docs/troubleshooting.md says how to begin with a new one.",
  NodeFull: "Make room on the node of the group's volume, or use a ReadWriteMany storage class.",
  PodLost: "Bring the node back or remove it from the cluster; `session.onNodeLost: Force` does not wait.",
  StartTimeout: "`kubectl describe pod` shows the events of the start; then it is tried again.",
  QuotaExceeded: "Raise the ResourceQuota of the namespace, or let other sessions sleep.",
};

function checkCondition({ session }: SessionFacts): Diagnosis | undefined {
  const { notReady, phase } = seen(session) ?? {};
  if (!notReady) return undefined;
  const { [notReady.reason]: cure = "Mend what the sentence names; the router tries again by itself." } = cures;
  if (cure === null) return undefined;
  return wrong(`${phase} (${notReady.reason}): ${notReady.message}`, cure);
}

function checkPodThere({ session: found, pod, operator, namespace }: SessionFacts): Diagnosis | undefined {
  const session = seen(found);
  if (!session?.wanted) return undefined;
  if (pod === "missing") {
    const doubt = operator.leaseAgeMs === "forbidden" ? "; whether an operator leads could not be seen" : "";
    return wrong(
      `it should be awake (epoch ${session.wantedEpoch}), and has no pod yet${doubt}`,
      "That takes a second. If it stays so: `copepod logs operator`.",
    );
  }
  if (pod !== "forbidden" || session.phase === "Awake") return undefined;
  const unseen = mayNot("its pod", { verb: "list", resource: "pods", namespace });
  return wrong(`it is ${session.phase}, and ${unseen}`, askForRight);
}

function checkPod(facts: SessionFacts): Diagnosis | undefined {
  const [session, pod] = [seen(facts.session), seen(facts.pod)];
  if (!session?.wanted || !pod) return undefined;
  if (pod.isEnding || (pod.epoch !== undefined && pod.epoch < session.wantedEpoch)) {
    return wrong(
      `its former pod ${pod.name} is still ending`,
      `It has ${podGraceMs / 1_000} seconds for that; then the next one is made.`,
    );
  }
  if (pod.unscheduled !== undefined) {
    return wrong(
      `no node takes its pod ${pod.name}: ${pod.unscheduled}`,
      "Make room, or change nodeSelector, tolerations or the volume's class.",
    );
  }
  return pod.containers.length > 0
    ? undefined
    : wrong(
        `its pod ${pod.name} has no node yet`,
        "That takes a second. If it stays so, a volume is not made: `kubectl describe pvc` says why.",
      );
}

function checkContainers({ pod: found, name }: SessionFacts): Diagnosis | undefined {
  const pod = seen(found);
  const stuck = pod?.containers.find(({ waiting }) => waiting !== undefined);
  if (stuck?.waiting !== undefined) {
    const isNew = /^(ContainerCreating|PodInitializing)/.test(stuck.waiting);
    return wrong(
      `the container ${stuck.name} does not run: ${stuck.waiting}`,
      isNew
        ? `That takes a second. If it stays so, a volume or the network is missing: \`kubectl describe pod ${pod?.name}\`.`
        : `\`copepod logs ${name}\` has its last words.`,
    );
  }
  const unready = pod?.containers.find(({ isReady }) => !isReady);
  if (!unready) return undefined;
  const restarts = unready.restarts === 0 ? "" : ` (restarted ${unready.restarts} times)`;
  return unready.name === "credential-proxy"
    ? wrong(
        `the credential-proxy runs but is not ready${restarts}: it does not reach the router, or the router refuses its token`,
        `\`copepod logs ${name}\` says which; then look at the network policies, and at the router's right to TokenReviews.`,
      )
    : wrong(`the container ${unready.name} runs but is not ready${restarts}`, `\`copepod logs ${name}\` says why.`);
}

function atWork({ row, session }: SessionFacts): Diagnosis {
  const open = row?.open;
  if (!open || row.pending === 0)
    return fine(`nothing is wrong: it is ${seen(session)?.phase ?? row?.phase ?? "there"}, and nothing waits`);
  if (open.state === "leased") return fine("it is awake, and the agent has taken the message that waits");
  if (open.reason === undefined) return fine("it is awake, and a message waits for the agent's next turn");
  return wrong(
    `it is awake, but its message failed ${open.attempt} times; the last time: ${open.reason}`,
    "Mend that; the message is tried again by itself.",
  );
}
