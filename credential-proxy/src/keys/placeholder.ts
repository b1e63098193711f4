import { createHmac, hash, timingSafeEqual } from "node:crypto";

/**
 * What stands for a credential's key in this session. A proxy that is restarted derives the same, so that a harness
 * that has it goes on.
 */
function derivePlaceholder(sessionPlaceholder: string, credential: string): string {
  const mac = createHmac("sha256", sessionPlaceholder).update(`credential:${credential}`).digest("base64url");
  return `copepod-${mac}`;
}

export interface Placeholders {
  of(credential: string): string;
  /** Takes the same time for every value. */
  is(credential: string, value: string): boolean;
}

/** Those of one session, derived once each. */
export function createPlaceholders(sessionPlaceholder: string): Placeholders {
  const known = new Map<string, { readonly value: string; readonly equals: (given: string) => boolean }>();
  const find = (credential: string) => {
    const found = known.get(credential);
    if (found) return found;
    const value = derivePlaceholder(sessionPlaceholder, credential);
    const made = { value, equals: createEqualityCheck(value) };
    known.set(credential, made);
    return made;
  };
  return { of: (credential) => find(credential).value, is: (credential, value) => find(credential).equals(value) };
}

/** Compares in a time that does not depend on where the values differ. */
export function createEqualityCheck(expected: string): (given: string) => boolean {
  const expectedDigest = digest(expected);
  return (given) => timingSafeEqual(digest(given), expectedDigest);
}

const digest = (text: string): Buffer => hash("sha256", text, "buffer");
