import { CopepodError } from "@copepod/core/errors";
import type { MessageFile } from "@copepod/core/files";
import type { Conversation, QueueStore } from "../queue/queue-store.ts";
import type { Person } from "./person.ts";

/**
 * Terminal conversations of one machine have their plain name for an address. In a cluster it begins with whose they are, so
 * that nobody sees or disturbs those of others: `<user name>/<conversation>`.
 */
export const addressOf = (person: Person, conversation: string): string => `${prefixOf(person)}${conversation}`;

/** As the person calls it; undefined for a conversation that is not theirs. */
export function nameFor(person: Person, { address, servedByRouter }: Conversation): string | undefined {
  const prefix = prefixOf(person);
  return servedByRouter && address.startsWith(prefix) ? address.slice(prefix.length) : undefined;
}

/** As agents call it: `ada/main` for a conversation of the service account ada. */
export function displayNameOf(person: Person, conversation: string): string {
  return person.kind === "owner" ? conversation : `${person.name.split(":").at(-1)}/${conversation}`;
}

/** Who speaks: by the token in a cluster, else as the input says. */
export const speakerOf = (person: Person, sender: string): string => (person.kind === "owner" ? sender : person.name);

/** What a person's uploads are counted by. No session's row key has a colon in its namespace. */
export const uploaderOf = (person: Person): string | undefined =>
  person.kind === "owner" ? undefined : `person:${person.name}`;

/** Files that a person may see: what they have uploaded, and those of messages in their conversations. */
export async function maySeeFile(
  store: Pick<QueueStore, "maySeeBlob" | "isBlobIn">,
  person: Person,
  blob: string,
): Promise<boolean> {
  if (person.kind === "owner" || person.isAdmin) return true;
  return (await store.maySeeBlob(`person:${person.name}`, blob)) || (await store.isBlobIn(blob, prefixOf(person)));
}

/** Whoever names the hash of a file in a message must be allowed to see it: the message would show it to them. */
export async function requireFiles(
  store: Pick<QueueStore, "maySeeBlob" | "isBlobIn">,
  person: Person,
  files: readonly MessageFile[],
): Promise<void> {
  for (const { name, blob } of files) {
    if (!(await maySeeFile(store, person, blob)))
      throw new CopepodError("invalid", `the file “${name}” was not uploaded; send it first`);
  }
}

/** Whose a new conversation is; undefined = nothing bounds their number. A slash in a user name must not look like its end. */
export const ownerOf = (person: Person): string | undefined =>
  person.kind === "owner" ? undefined : person.name.replaceAll("%", "%25").replaceAll("/", "%2F");

/** Of the addresses of the person's own conversations. */
export function prefixOf(person: Person): string {
  const name = ownerOf(person);
  return name === undefined ? "" : `${name}/`;
}
