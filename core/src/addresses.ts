export const defaultNamespace = "default";

/** Row key of a resource or session: the namespace first. */
export const keyOf = (namespace: string, name: string): string => `${namespace}/${name}`;

export function splitKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf("/");
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** A person's face on one channel, as Users list it: `<channel>:<platform user id>`. */
export const identityOf = (channel: string, userId: string): string => `${channel}:${userId}`;

/**
 * A name by which an agent can address a conversation: lower case, digits and dashes.
 * @param taken names of the same address book, which a suffix keeps apart.
 */
export function destinationName(displayName: string, taken: ReadonlySet<string>): string {
  const base =
    displayName
      .normalize("NFKD")
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, "-")
      .replaceAll(/^-+|-+$/g, "")
      .slice(0, 40) || "unnamed";
  if (!taken.has(base)) return base;
  for (let suffix = 2; ; suffix++) {
    if (!taken.has(`${base}-${suffix}`)) return `${base}-${suffix}`;
  }
}
