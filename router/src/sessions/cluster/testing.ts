import { Store } from "@copepod/kube/cache/store";
import type { Target } from "@copepod/kube/client/client";
import { ApiError } from "@copepod/kube/errors";
import { type KubeObject, keyOf, type ObjectName } from "@copepod/kube/object";
import { TestClock } from "@copepod/kube/testing/clock";
import { SessionObjects } from "./session-objects.ts";
import { type SessionSeen, sessionSeenOf } from "./session-seen.ts";

const refused = (status: number, reason: string) => new ApiError(reason, { status, reason, causes: [] });

/** Session objects as an API server keeps them, as far as their versions, UIDs and merge patches go; the watch is the test's. */
export class SessionsWorld {
  readonly clock = new TestClock();
  /** The server's. */
  readonly objects = new Map<string, KubeObject>();
  readonly calls: string[] = [];
  readonly cache = new Store<SessionSeen>({ indexes: {}, onListenerError: (error) => void this.faults.push(error) });
  readonly faults: unknown[] = [];
  readonly sessions: SessionObjects;
  #versions = 0;

  constructor() {
    this.sessions = new SessionObjects({
      client: this,
      reflectors: { declare: () => this.cache },
      namespaces: ["agents"],
      clock: this.clock,
    });
  }

  /** The cache hears of all that the server has. */
  watch(): void {
    const seen = [...this.objects.values()].map(sessionSeenOf);
    const changed = seen.filter(
      ({ session, resourceVersion }) => this.cache.resourceVersion(session) !== resourceVersion,
    );
    const staged = changed.map((one) => this.cache.stage(one.session, one.resourceVersion, one));
    this.cache.replace(new Set(this.objects.keys()), staged);
  }

  /** Somebody else writes, and the cache does not know yet. */
  meddle(key: string, change: object): void {
    const object = this.objects.get(key);
    if (object) this.#keep(key, { ...object, ...merged(object, change) });
  }

  readonly create = async (_: unknown, object: KubeObject): Promise<KubeObject> => {
    const key = keyOfObject(object);
    this.calls.push(`create ${key}`);
    if (this.objects.has(key)) throw refused(409, "AlreadyExists");
    return this.#keep(key, { ...object, metadata: { ...object.metadata, uid: `uid-${this.#versions}` } });
  };

  readonly get = async (_: unknown, name: ObjectName): Promise<KubeObject> => {
    this.calls.push(`get ${keyOf(name)}`);
    const object = this.objects.get(keyOf(name));
    if (!object) throw refused(404, "NotFound");
    return object;
  };

  readonly mergePatch = async (_: unknown, target: Target, patch: object): Promise<KubeObject> => {
    const { uid, resourceVersion, subresource } = target;
    this.calls.push(`patch ${keyOf(target)}${subresource ? ` ${subresource}` : ""}`);
    const object = this.objects.get(keyOf(target));
    if (!object) throw refused(404, "NotFound");
    const isOther = uid !== undefined && uid !== object.metadata.uid;
    if (isOther || (resourceVersion !== undefined && resourceVersion !== object.metadata.resourceVersion))
      throw refused(409, "Conflict");
    return this.#keep(keyOf(target), { ...object, ...merged(object, patch) });
  };

  #keep(key: string, object: KubeObject): KubeObject {
    this.#versions += 1;
    const kept = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#versions) } };
    this.objects.set(key, kept);
    return kept;
  }
}

const keyOfObject = ({ metadata: { namespace, name = "" } }: KubeObject) => keyOf({ namespace, name });

function merged(before: object, patch: object): object {
  const result: Record<string, unknown> = { ...before };
  for (const [name, value] of Object.entries(patch)) {
    const old = result[name];
    const isNested = value instanceof Object && old instanceof Object;
    result[name] = value === null ? undefined : isNested ? merged(old, value) : value;
  }
  return result;
}
