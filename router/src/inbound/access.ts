import { keyOf } from "@copepod/core/addresses";
import type { Resources } from "../resources/resource-store.ts";

interface AccessQuestion {
  readonly namespace: string;
  /** `<channel>:<platform user id>` */
  readonly identity: string;
  /** Name of the agent group. */
  readonly group: string;
}

/** Whether a User with a role for the group lists the identity. */
export function isKnown(resources: Resources, { namespace, identity, group }: AccessQuestion): boolean {
  const roles = indexOf(resources).get(keyOf(namespace, identity)) ?? [];
  return roles.some((role) => role.group === undefined || role.group === group);
}

type Roles = readonly { readonly role: string; readonly group?: string | undefined }[];

/** Built once for each state of the resources. */
const indices = new WeakMap<Resources, ReadonlyMap<string, Roles>>();

function indexOf(resources: Resources): ReadonlyMap<string, Roles> {
  const present = indices.get(resources);
  if (present) return present;
  const index = new Map<string, Roles>();
  for (const { metadata, spec } of resources.users.values()) {
    for (const identity of spec.identities) {
      const key = keyOf(metadata.namespace, identity);
      index.set(key, [...(index.get(key) ?? []), ...spec.roles]);
    }
  }
  indices.set(resources, index);
  return index;
}
