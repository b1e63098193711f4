import { annotations, groupObjectName, labels, operatorName } from "@copepod/core/cluster";
import { CopepodError } from "@copepod/core/errors";
import { sessionSchema } from "@copepod/crds/session";
import { Store } from "@copepod/kube/cache/store";
import { controllingOwner, ownerKey } from "@copepod/kube/controller/owners";
import { Fence } from "@copepod/kube/lease/fence";
import type { HasMetadata, KubeObject } from "@copepod/kube/object";
import type { TestClock } from "@copepod/kube/testing/clock";
import type { Caches } from "../../parts.ts";
import { agentGroups, sessions } from "../../resources.ts";
import { type Seen, seeAs } from "../../seen.ts";
import { SessionKeeper } from "../keeper.ts";
import type { NodeSeen } from "../node.ts";
import { type PodSeen, seePod } from "../pod-seen.ts";
import { RecentWrites } from "../recent.ts";
import { group, settings } from "./samples.ts";
import type { TestServer } from "./server.ts";

/** Where a leader dies: before or after the call of this number. */
export interface Death {
  readonly call: number;
  readonly when: "before" | "after";
}

const superseded = () => new CopepodError("superseded", "It leads no more.");

/** One leadership of the session controller, whose caches show what happened only when the test says so. */
export class TestLeader {
  readonly #server: TestServer;
  readonly #pods = makeStore<PodSeen>({ session: ownerKey(sessions), group: () => [] });
  readonly #sessions = makeStore<Seen<ReturnType<typeof sessionSchema.parse>>>({ group: () => [] });
  /** How much of the changes each watch has told. */
  readonly #told: Record<string, number>;
  readonly #keeper: SessionKeeper;
  readonly #recent: RecentWrites;
  #callsLeft = Number.POSITIVE_INFINITY;
  #when: Death["when"] = "before";
  #isDead = false;
  #isDeposed = false;

  constructor(server: TestServer, term: number, clock: TestClock) {
    this.#server = server;
    this.#told = { pods: server.changes.length, sessions: server.changes.length };
    for (const object of server.list("pods").filter(isShown)) put(this.#pods, object, seePod(object));
    for (const object of server.list("sessions")) put(this.#sessions, object, seeSession(object));
    this.#recent = new RecentWrites(clock);
    const client = this.#mortal(server);
    const leadership = {
      term: String(term).padStart(8, "0"),
      signal: new AbortController().signal,
      check: () => this.#live(),
      confirm: async () => {
        if (this.#isDeposed) throw superseded();
      },
    };
    const clocked = { clock, random: () => 0.5, log: { debug() {}, info() {}, warn() {} } };
    this.#keeper = new SessionKeeper(
      {
        ...{ ...clocked, client, settings: settings(), recent: this.#recent, events: { record() {} } },
        fence: new Fence({ client, leadership, annotation: "copepod.dev/term" }),
        caches: this.#caches(),
        observerOf: () => {
          throw new Error("no controller runs here");
        },
        newPlaceholder: () => "placeholder-placeholder",
      },
      () => undefined,
    );
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  dieAt({ call, when }: Death): void {
    this.#callsLeft = call;
    this.#when = when;
  }

  /** Another leads now; this one notices when it asks. */
  depose(): void {
    this.#isDeposed = true;
  }

  /** The next changes of one kind arrive. */
  hear(plural: "pods" | "sessions", most: number): void {
    const from = this.#told[plural] ?? 0;
    const next = this.#server.changes.slice(from).filter((change) => change.plural === plural);
    const [last, heard] = [next[most - 1], next.slice(0, most)];
    this.#told[plural] = last ? this.#server.changes.indexOf(last, from) + 1 : this.#server.changes.length;
    for (const { key, object } of heard) {
      if (plural === "pods") this.#hearPod(key, object);
      else if (object) put(this.#sessions, object, seeSession(object));
      else {
        this.#sessions.delete(key);
        this.#recent.forgetSession(key);
      }
    }
  }

  async reconcile(key: string): Promise<void> {
    await this.#keeper.reconcile(key, new AbortController().signal).catch((error: unknown) => {
      // Conflicts and the like: it is tried again.
      if (!(error instanceof CopepodError)) throw error;
    });
  }

  #hearPod(key: string, pod: KubeObject | undefined): void {
    const object = pod && isShown(pod) ? pod : undefined;
    const [before, after] = [this.#pods.get(key), object && seePod(object)];
    if (object && after) put(this.#pods, object, after);
    else this.#pods.delete(key);
    this.#keeper.heardOf({ before, after });
  }

  #caches(): Caches {
    const key = `agents/${groupObjectName("helper")}`;
    const place = { namespace: "agents", name: "helper", uid: "group-uid", creationTimestamp: "2029-01-01T00:00:00Z" };
    const about = { apiVersion: "copepod.dev/v1alpha1", kind: agentGroups.kind, metadata: place };
    const seenGroup = { ...about, resource: group(), problem: undefined, status: {} };
    const metadata = {
      ...{ name: groupObjectName("helper"), uid: "account-uid" },
      labels: { [labels.group]: "helper", [labels.managedBy]: operatorName },
      annotations: { [annotations.rules]: "rules-1" },
      ownerReferences: [controllingOwner(agentGroups, seenGroup)],
    };
    const child = () => filled<KubeObject>(new Map([[key, { metadata }]]));
    return {
      groups: filled(new Map([["agents/helper", seenGroup]])),
      sessions: this.#sessions,
      pods: this.#pods,
      ...{ workspaces: filled(new Map()), credentials: filled(new Map()) },
      nodes: filled(new Map<string, NodeSeen>()),
      ...{ volumeClaims: child(), serviceAccounts: child(), configMaps: child(), networkPolicies: child() },
    };
  }

  #live(): void {
    if (this.#isDead) throw superseded();
  }

  #mortal(server: TestServer) {
    const around = async <T>(call: () => Promise<T>): Promise<T> => {
      this.#live();
      const isLast = this.#callsLeft-- === 0;
      if (isLast && this.#when === "before") this.#die();
      const answer = await call();
      if (isLast) this.#die();
      return answer;
    };
    return {
      get: (...call: Parameters<TestServer["get"]>) => around(() => server.get(...call)),
      page: () => Promise.reject(new Error("nobody lists")),
      create: (...call: Parameters<TestServer["create"]>) => around(() => server.create(...call)),
      mergePatch: (...call: Parameters<TestServer["mergePatch"]>) => around(() => server.mergePatch(...call)),
      delete: (...call: Parameters<TestServer["delete"]>) => around(() => server.delete(...call)),
    };
  }

  #die(): void {
    this.#isDead = true;
    throw superseded();
  }
}

/** What the selector of the cache lets through. */
const isShown = ({ metadata }: KubeObject): boolean => metadata.labels?.[labels.managedBy] === operatorName;

const seeSession = seeAs(sessions, sessionSchema);

function makeStore<T>(indexes: Readonly<Record<string, (value: T) => string[]>>): Store<T> {
  return new Store<T>({
    indexes,
    onListenerError: (error) => {
      throw error;
    },
  });
}

function put<T>(store: Store<T>, { metadata }: HasMetadata, value: T): void {
  store.put(store.stage(`${metadata.namespace}/${metadata.name}`, metadata.resourceVersion, value));
}

function filled<T>(values: ReadonlyMap<string, T>): Store<T> {
  const store = makeStore<T>({});
  for (const [key, value] of values) store.put(store.stage(key, "1", value));
  return store;
}
