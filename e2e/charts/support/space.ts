import { setTimeout as pause } from "node:timers/promises";
import { isNotFound } from "@copepod/kube/errors";
import type { KubeObject, Resource } from "@copepod/kube/object";
import { sessions } from "@copepod/operator/resources";
import { conditionOf } from "../../operator/support/read.ts";
import type { Installation } from "./rights.ts";

export type Look = () => Promise<boolean>;

/** What a right is for: something that can be seen. */
export interface Scenario {
  /** What works only with the right. */
  readonly name: string;
  /** What the API server refuses without the right, where that is another call than the right's name says. */
  readonly refused?: string;
  /** Another right that is missing all the time, so that what the right is for happens for sure. */
  readonly without?: string;
  /** Begins it. @returns whether it has worked */
  readonly begin: (space: Space) => Promise<Look>;
  /** Tried once more, where the program does so only after minutes, or never. */
  readonly again?: (space: Space) => Promise<unknown>;
}

const lookEveryMs = 200;
const patienceMs = 90_000;

/** @returns whether it came in time */
export async function comes(look: Look, withinMs = patienceMs): Promise<boolean> {
  for (const end = performance.now() + withinMs; performance.now() < end; await pause(lookEveryMs)) {
    if (await look()) return true;
  }
  return await look();
}

/** A namespace of one scenario, and people who write resources there. */
export class Space implements AsyncDisposable {
  readonly installation: Installation;
  readonly namespace: string;
  /** What ends with the scenario. */
  readonly stack: AsyncDisposableStack = new AsyncDisposableStack();

  constructor(installation: Installation, namespace: string) {
    this.installation = installation;
    this.namespace = namespace;
  }

  get #admin() {
    return this.installation.rig.admin;
  }

  async put(resource: Resource, name: string, fields: object, marks: object = {}): Promise<void> {
    const object = { metadata: { namespace: this.namespace, name, ...marks }, ...fields };
    await this.#admin.apply(resource, object, { fieldManager: "people", force: true });
  }

  async patch(resource: Resource, name: string, patch: object, subresource?: string): Promise<void> {
    const target = { namespace: this.namespace, name, ...(subresource !== undefined && { subresource }) };
    await this.#admin.mergePatch(resource, target, patch);
  }

  async remove(resource: Resource, name: string): Promise<void> {
    await this.#admin.delete(resource, { namespace: this.namespace, name });
  }

  async get(resource: Resource, name: string): Promise<KubeObject | undefined> {
    return await this.#admin.get(resource, { namespace: this.namespace, name }).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
  }

  async page(resource: Resource): Promise<readonly KubeObject[]> {
    return (await this.#admin.page(resource, { namespace: this.namespace })).items;
  }

  /** A session is wanted awake. */
  async wake(group: string, { name = "one", epoch = 1, wanted = true } = {}): Promise<void> {
    await this.put(sessions, name, { spec: { group, key: { kind: "Group" }, wake: { wanted, epoch } } });
  }

  /** Looks at an object that is there. */
  sees =
    (resource: Resource, name: string, isSo: (object: KubeObject) => boolean = () => true): Look =>
    async () => {
      const found = await this.get(resource, name);
      return found !== undefined && isSo(found);
    };

  /** Looks whether it is gone, or is to go. */
  isGone =
    (resource: Resource, name: string): Look =>
    async () => {
      const found = await this.get(resource, name);
      return found === undefined || found.metadata.deletionTimestamp !== undefined;
    };

  /** Looks for a condition, such as `False Conflict`. */
  says = (resource: Resource, name: string, type: string, expected?: string): Look =>
    this.sees(resource, name, (object) => {
      const said = conditionOf(object, type);
      return expected === undefined ? said !== undefined : said === expected;
    });

  /** Before the scenario itself can begin. */
  async when(look: Look): Promise<void> {
    if (!(await comes(look))) throw new Error(`the scenario of ${this.namespace} could not begin`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack.disposeAsync();
  }
}
