import { apiVersion } from "@copepod/crds/definition";
import type { ObjectName } from "@copepod/kube/object";
import { type KnownModelName, knownCredential, knownModels } from "../home/known-models.ts";
import { defaultAgentsNamespace } from "./options.ts";

/** What a person answers. */
export interface InstallAnswers {
  /** `demo` needs no key. */
  readonly model: KnownModelName | "demo";
  /** Empty: the cluster's default. */
  readonly storageClass: string;
  /** Name of the agent group. */
  readonly agent: string;
}

export interface InstallPlace {
  /** Folder with the charts `copepod` and `copepod-crds`. */
  readonly charts: string;
  /** Of agents. */
  readonly namespace: string;
  readonly systemNamespace: string;
  /** The namespace of agents exists, and not by this chart. */
  readonly isForeign: boolean;
  /** Flags that name the cluster. */
  readonly flags: readonly string[];
  /** Further values, as `helm --set` takes them. */
  readonly values: readonly string[];
  /** As the person's service account shall be called. */
  readonly person: string;
}

export interface InstallPlan {
  /** Arguments of helm, one list per run. */
  readonly helm: readonly (readonly string[])[];
  /** Of the person; beside the programs, where the right to make pods of agents gives nobody a token of it. */
  readonly serviceAccount: {
    readonly apiVersion: "v1";
    readonly kind: "ServiceAccount";
    readonly metadata: ObjectName;
  };
  readonly resources: readonly ObjectYaml[];
}

type ObjectYaml = Readonly<Record<string, unknown>>;

/** Name of the release: that of the chart. */
const release = "copepod";
const readyTimeout = "5m";

/** All that an installation is made of, but the Secret. Made twice it is the same. Pure. */
export function planInstall(answers: InstallAnswers, place: InstallPlace): InstallPlan {
  const { systemNamespace, person } = place;
  return {
    helm: helmRuns(answers, place),
    serviceAccount: {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: person, namespace: systemNamespace },
    },
    resources: resourcesOf(answers, place),
  };
}

function helmRuns({ storageClass }: InstallAnswers, place: InstallPlace): readonly (readonly string[])[] {
  const { charts, namespace, systemNamespace, isForeign, flags, values } = place;
  const sets = [
    ...(namespace === defaultAgentsNamespace ? [] : [`agents.namespaces={${namespace}}`]),
    ...(isForeign ? ["agents.createNamespaces=false"] : []),
    ...(storageClass === "" ? [] : [`router.storage.storageClassName=${storageClass}`]),
    ...values,
  ];
  const common = ["--namespace", systemNamespace, "--create-namespace", ...flags];
  return [
    ["upgrade", "--install", `${release}-crds`, `${charts}/copepod-crds`, ...common],
    [
      ...["upgrade", "--install", release, `${charts}/copepod`, ...common, "--wait", "--timeout", readyTimeout],
      ...sets.flatMap((value) => ["--set", value]),
    ],
  ];
}

function resourcesOf(
  { model, storageClass, agent }: InstallAnswers,
  { namespace, systemNamespace, person }: InstallPlace,
): readonly ObjectYaml[] {
  const own = (account: string) => `terminal:system:serviceaccount:${systemNamespace}:${account}`;
  const isDemo = model === "demo";
  const named = (kind: string, name: string, spec: object) => ({
    apiVersion,
    kind,
    metadata: { name, namespace },
    spec,
  });
  return [
    ...(isDemo ? [] : [{ ...knownCredential(model), metadata: { name: model, namespace } }]),
    named("Channel", "terminal", { type: "terminal", defaults: { unknownSenders: "Strict" } }),
    named("AgentGroup", agent, {
      instructions: "You are a friendly helper. Answer briefly and in plain words.\n",
      agent: { provider: isDemo ? "demo" : knownModels[model].provider },
      ...(isDemo ? {} : { credentials: [model] }),
      ...(storageClass === "" ? {} : { storage: { storageClassName: storageClass } }),
    }),
    named("Wiring", `terminal-${agent}`, {
      channel: "terminal",
      conversation: { kind: "Direct" },
      group: agent,
      senders: "Known",
    }),
    named("User", person, {
      displayName: person,
      identities: [own(person), own("copepod-admin")],
      roles: [{ role: "Owner" }],
    }),
  ];
}

/** A command line that a shell takes as it is meant. */
export const shellLine = (words: readonly string[]): string =>
  words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");
