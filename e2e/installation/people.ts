import { Conversations } from "../support/conversations.ts";
import { adminThrough } from "./cluster-system.ts";
import type { Forward } from "./forward.ts";
import { agentsNamespace, type Installation } from "./installation.ts";

/** A person with a service account of their own, who speaks through the router's admin API. */
export interface Person extends AsyncDisposable {
  readonly talk: Conversations;
  /** As Users list it. */
  readonly identity: string;
  readonly forward: Forward;
}

/** @param group whom the person speaks to */
export async function person(installation: Installation, name: string, group: string): Promise<Person> {
  await installation.apply([{ apiVersion: "v1", kind: "ServiceAccount", metadata: { name } }]);
  const forward = installation.forwardAdmin();
  const token = await installation.token(name, agentsNamespace);
  const admin = adminThrough(forward, () => token);
  return {
    talk: new Conversations({ admin: () => admin, namespace: agentsNamespace, prefix: "", group }),
    identity: `terminal:system:serviceaccount:${agentsNamespace}:${name}`,
    forward,
    [Symbol.asyncDispose]: async () => await forward[Symbol.asyncDispose](),
  };
}
