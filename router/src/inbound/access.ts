import { identityOf, keyOf } from "@copepod/core/addresses";
import type { User } from "@copepod/crds/user";
import type { Resources } from "../resources/resource-store.ts";

interface Identity {
  readonly namespace: string;
  /** `<channel>:<platform user id>` */
  readonly identity: string;
}

interface AccessQuestion extends Identity {
  /** Name of the agent group. */
  readonly group: string;
}

/** Whether a User with a role for the group lists the identity. */
export const isKnown = (resources: Resources, { group, ...identity }: AccessQuestion): boolean =>
  rolesOf(resources, identity).some((role) => role.group === undefined || role.group === group);

/**
 * Whether a User of the namespace makes the person its Owner or Admin: with a role that holds in all of its agent groups.
 * @param name user name of the person's token, which is their identity on the terminal channel
 */
export function isAdminOf(resources: Resources, namespace: string, name: string): boolean {
  const channel = terminalOf(resources, namespace);
  if (channel === undefined) return false;
  const roles = rolesOf(resources, { namespace, identity: identityOf(channel, name) });
  return roles.some(({ role, group }) => group === undefined && role !== "Member");
}

/** What guides and samples call it: another Channel takes its place only where there is none of this name. */
const usualName = "terminal";

/** Name of the Channel of type terminal; of several the one with the usual name, else the first by name. */
export function terminalOf({ channels }: Resources, namespace: string): string | undefined {
  const terminals = [...channels.values()].filter(
    ({ metadata, spec }) => metadata.namespace === namespace && spec.type === "terminal",
  );
  const names = terminals.map(({ metadata }) => metadata.name);
  return names.includes(usualName) ? usualName : names.sort()[0];
}

type Roles = User["spec"]["roles"];

const rolesOf = ({ users }: Resources, { namespace, identity }: Identity): Roles =>
  indexOf(users).get(keyOf(namespace, identity)) ?? [];

/** Built once for each state of the users. */
const indices = new WeakMap<Resources["users"], ReadonlyMap<string, Roles>>();

function indexOf(users: Resources["users"]): ReadonlyMap<string, Roles> {
  const present = indices.get(users);
  if (present) return present;
  const index = new Map<string, Roles>();
  for (const { metadata, spec } of users.values()) {
    for (const identity of spec.identities) {
      const key = keyOf(metadata.namespace, identity);
      index.set(key, [...(index.get(key) ?? []), ...spec.roles]);
    }
  }
  indices.set(users, index);
  return index;
}
