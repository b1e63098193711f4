import { createHash } from "node:crypto";
import { keyOf } from "@copepod/core/addresses";
import type { SessionKey } from "../queue/queue-store.ts";

const maxGroupLength = 40;
const hashLength = 12;

/** Row key of a session: the namespace, then `<group, at most 40>-<12 hex of sha256(key)>`. */
export function sessionNameOf(namespace: string, group: string, key: SessionKey): string {
  const text = JSON.stringify([group, key.kind, key.conversation ?? "", key.thread ?? ""]);
  const hash = createHash("sha256").update(text).digest("hex").slice(0, hashLength);
  const prefix = group.slice(0, maxGroupLength).replace(/[-.]+$/, "");
  return keyOf(namespace, `${prefix}-${hash}`);
}
