import { CopepodError } from "@copepod/core/errors";
import { nameSchema } from "@copepod/core/messages";

/** Who calls the admin API. */
export type Person =
  /** Whoever can open the socket (0600) owns this installation; as whom they speak is theirs to say. */
  | { readonly kind: "owner" }
  /** Comes with a token: its user name is who they are. */
  | {
      readonly kind: "named";
      readonly name: string;
      /** May call all of the API, for every namespace; the others what the Users of a namespace allow there. */
      readonly isAdmin: boolean;
    };

export const owner: Person = { kind: "owner" };

/**
 * @param admins user names that may call all of the API
 * @throws CopepodError `forbidden` for a user name that could not be kept
 */
export function personOf({ username }: { readonly username: string }, admins: ReadonlySet<string>): Person {
  if (!nameSchema.safeParse(username).success) {
    throw new CopepodError("forbidden", "The user name of the token is longer than a name may be, or not plain text.");
  }
  return { kind: "named", name: username, isAdmin: admins.has(username) };
}

/** For the audit. */
export const nameOf = (person: Person): string => (person.kind === "owner" ? "local" : person.name);
