import { CopepodError } from "@copepod/core/errors";
import { isAdminOf } from "../inbound/access.ts";
import type { ResourceStore } from "../resources/resource-store.ts";
import type { Person } from "./person.ts";

export interface RightsDeps {
  readonly resources: Pick<ResourceStore, "current">;
  /** Namespaces that the router follows; undefined = all that resources name. */
  readonly namespaces: readonly string[] | undefined;
}

/** Who may call what of the admin API, as the Users say at the time of the call. */
export class Rights {
  readonly #deps: RightsDeps;

  constructor(deps: RightsDeps) {
    this.#deps = deps;
  }

  /** @throws CopepodError `notFound` */
  requireFollowed(namespace: string): void {
    const { namespaces } = this.#deps;
    if (!namespaces || namespaces.includes(namespace)) return;
    const followed = namespaces.join(", ");
    throw new CopepodError("notFound", `Copepod does not serve the namespace “${namespace}”, only: ${followed}.`);
  }

  /** Whether the person may do everything in the namespace. */
  mayAdminister(person: Person, namespace: string): boolean {
    if (this.hasAllRights(person)) return true;
    return person.kind === "named" && isAdminOf(this.#deps.resources.current(), namespace, person.name);
  }

  /** Whether the person may do everything everywhere. */
  hasAllRights(person: Person): boolean {
    return person.kind === "owner" || person.isAdmin;
  }

  /** @throws CopepodError `forbidden`, or `notFound` for a namespace that is not followed */
  requireAdmin(person: Person, namespace: string): void {
    this.requireFollowed(namespace);
    if (this.mayAdminister(person, namespace)) return;
    const cure = `a User with the role Owner or Admin in the namespace “${namespace}”`;
    throw new CopepodError("forbidden", `Only admins may do that: ${cure}, or who has the token of copepod-admin.`);
  }

  /** @throws CopepodError `forbidden` */
  requireAllRights(person: Person): void {
    if (this.hasAllRights(person)) return;
    throw new CopepodError(
      "forbidden",
      "Only who has the token of copepod-admin may do that: it is about all namespaces.",
    );
  }
}
