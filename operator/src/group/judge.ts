import type { AgentGroup } from "@copepod/crds/agent-group";
import type { RenderedRules } from "@copepod/crds/proxy-rules";
import type { Seen } from "../seen.ts";
import { conditionOf, summary, type Verdict } from "../status/status.ts";
import { isClosed } from "./egress.ts";

export interface GroupView {
  readonly spec: AgentGroup["spec"];
  /** `kind name` of objects that have the name of a child and are somebody else's. */
  readonly foreign: readonly string[];
  /** Such as these, of an earlier group of the same name. */
  readonly old: readonly string[];
  readonly volume: Verdict;
  readonly rendered: Pick<RenderedRules, "missing" | "overlapping">;
  /** By name; those that the group names and that there are. */
  readonly credentials: ReadonlyMap<string, Pick<Seen<unknown>, "status">>;
  /** Hosts of private upstreams that have no address. */
  readonly unresolved: readonly string[];
  readonly workspaces: ReadonlyMap<string, Pick<Seen<unknown>, "status">>;
  /** See `judgeMounts`. */
  readonly refusedMounts: readonly string[];
  readonly foreignPolicies: readonly string[];
}

/** What is said of an agent group, Ready first. Pure. */
export function judgeGroup(view: GroupView): readonly Verdict[] {
  const verdicts = [
    view.volume,
    judgeCredentials(view),
    ...(view.spec.teamWorkspaces.length > 0 ? [judgeWorkspaces(view)] : []),
    ...(view.spec.mounts.length > 0 ? [judgeMountsAllowed(view)] : []),
    judgeEgress(view),
  ];
  return [judgeReady(view, verdicts), ...verdicts];
}

function judgeReady({ foreign, old, spec }: GroupView, verdicts: readonly Verdict[]): Verdict {
  if (foreign.length > 0) {
    const message = `${foreign.join(", ")}: somebody else's object has a name that the group needs; delete or rename it.`;
    return { type: "Ready", status: "False", reason: "Conflict", message };
  }
  if (old.length > 0) {
    const message = `${old.join(", ")} of an earlier group of this name is still there; Kubernetes removes it soon.`;
    return { type: "Ready", status: "Unknown", reason: "Replacing", message };
  }
  if (spec.suspended) {
    const message = "No session is awake while spec.suspended is true.";
    return { type: "Ready", status: "False", reason: "Suspended", message };
  }
  return summary(verdicts, { reason: "Ready", message: "Sessions of the group can wake." });
}

function judgeCredentials({ spec, rendered, credentials, unresolved }: GroupView): Verdict {
  const said = verdictOf("CredentialsReady");
  const [missing, overlap, host] = [rendered.missing[0], rendered.overlapping[0], unresolved[0]];
  if (missing !== undefined) return said("False", "Missing", `There is no Credential ${missing}; create it.`);
  if (overlap) {
    const what = `The Credential ${overlap.name} is left out: ${overlap.with}, which stands before it, has ${overlap.where} too.`;
    return said("False", "Overlapping", `${what} Make one of them narrower.`);
  }
  if (host !== undefined) {
    return said(
      "False",
      "HostUnresolved",
      `The host ${host} of a private upstream has no address; correct the baseUrl.`,
    );
  }
  const worst = worstOf(spec.credentials.map((name) => readinessOf("Credential", name, credentials)));
  if (worst) return said(worst.status, worst.reason, worst.message);
  return said(
    "True",
    "Ready",
    spec.credentials.length === 0 ? "The group names none." : "All that are named are good.",
  );
}

function judgeWorkspaces({ spec, workspaces }: GroupView): Verdict {
  const said = verdictOf("WorkspacesReady");
  const missing = spec.teamWorkspaces.find(({ name }) => !workspaces.has(name));
  if (missing) return said("False", "Missing", `There is no Workspace ${missing.name}; create it.`);
  const worst = worstOf(spec.teamWorkspaces.map(({ name }) => readinessOf("Workspace", name, workspaces)));
  return worst
    ? said(worst.status, worst.reason, worst.message)
    : said("True", "Ready", "All that are named are there.");
}

type Readiness = Pick<Verdict, "status" | "reason" | "message">;

const worstOf = (all: readonly Readiness[]): Readiness | undefined =>
  all.find(({ status }) => status === "False") ?? all.find(({ status }) => status === "Unknown");

function readinessOf(kind: string, name: string, all: ReadonlyMap<string, Pick<Seen<unknown>, "status">>): Readiness {
  const ready = conditionOf(all.get(name) ?? { status: {} }, "Ready");
  const looking = { status: "Unknown", reason: "Checking", message: "It is being looked at." } as const;
  const { status, reason, message } = ready ?? looking;
  return { status, reason, message: `${kind} ${name}: ${message}` };
}

function judgeMountsAllowed({ refusedMounts }: GroupView): Verdict {
  const said = verdictOf("MountsAllowed");
  if (refusedMounts.length > 0) return said("False", "MountRefused", refusedMounts.join(" "));
  return said("True", "Allowed", "The mount policy allows all of them.");
}

function judgeEgress({ spec, foreignPolicies }: GroupView): Verdict {
  const said = verdictOf("EgressRestricted");
  if (foreignPolicies.length > 0) {
    const names = foreignPolicies.join(", ");
    return said("False", "ForeignPolicy", `Policies add up, and ${names} opens egress of the group's pods; narrow it.`);
  }
  const closed = spec.network.allow.filter(({ cidr }) => isClosed(cidr)).map(({ cidr }) => cidr);
  const more = closed.length > 0 ? ` ${closed.join(", ")} stays closed: a metadata service, or a tunnel of IPv4.` : "";
  return said("True", "Restricted", `A network policy closes the cluster; the network plug-in must enforce it.${more}`);
}

const verdictOf =
  (type: string) =>
  (status: Verdict["status"], reason: string, message: string): Verdict => ({ type, status, reason, message });
