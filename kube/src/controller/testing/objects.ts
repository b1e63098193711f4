import { Store } from "../../cache/store.ts";
import { type KubeObject, keyOf, type ObjectMeta } from "../../object.ts";

export const makeObject = (name: string, metadata: ObjectMeta = {}, more: object = {}): KubeObject => ({
  apiVersion: "example.dev/v1",
  kind: "Thing",
  metadata: { namespace: "ns", name, uid: `uid-${name}`, resourceVersion: "1", ...metadata },
  ...more,
});

/** A real cache that a test fills by hand. */
export class HandCache {
  readonly store = new Store<KubeObject>({
    indexes: {},
    onListenerError: (error) => {
      throw error;
    },
  });
  #version = 0;

  put(object: KubeObject): void {
    this.store.put(this.#stage(object));
  }

  remove(name: string): void {
    this.store.delete(`ns/${name}`);
  }

  /** The first list is in. */
  sync(...objects: readonly KubeObject[]): void {
    const staged = objects.map((object) => this.#stage(object));
    this.store.replace(new Set(staged.map(({ key }) => key)), staged);
  }

  #stage(object: KubeObject) {
    const { namespace = "", name = "" } = object.metadata;
    this.#version += 1;
    return this.store.stage(keyOf({ namespace, name }), String(this.#version), object);
  }
}
