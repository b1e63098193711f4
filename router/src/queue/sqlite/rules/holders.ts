import type { ExpiredHolder, Holder } from "../../queue-store.ts";
import { sql, type Transaction } from "../transaction.ts";
import { findSession, isDraining, isEnded, requireHolder, requirePod, superseded } from "./sessions.ts";
import { endInstance, markEnded } from "./waking.ts";

const setInstance = sql<[string, string]>(`
  UPDATE sessions SET instance = ?, failures = 0, retry_at = NULL, reason = NULL WHERE session = ?`);

const setDraining = sql<[string]>("UPDATE sessions SET draining = max(draining, 1) WHERE session = ?");

const setPod = sql<[number, string, number, string]>(`
  UPDATE sessions SET epoch = ?, pod_uid = ?, draining = 0, unsettled = max(unsettled, ?) WHERE session = ?`);

const selectInstances = sql<[], { session: string; instance: string }>(
  "SELECT session, instance FROM sessions WHERE instance IS NOT NULL",
);

/** The runner's first call. A session whose runner speaks has started: its failures are over. */
export function hello(tx: Transaction, holder: Holder): void {
  const session = requirePod(tx, holder);
  if (isEnded(tx, holder.session, holder.instance)) throw superseded(holder.session);
  if (session.instance !== holder.instance) {
    endInstance(tx, session);
    tx.run(setInstance, holder.instance, holder.session);
  }
  tx.holders.restart(holder.session, holder.instance, tx.monotonic);
}

export function extend(tx: Transaction, holder: Holder): { readonly draining: boolean } {
  return { draining: isDraining(requireHolder(tx, holder)) };
}

export function drain(tx: Transaction, session: string, epoch: number, podUid: string): void {
  requirePod(tx, { session, epoch, podUid });
  tx.run(setDraining, session);
}

export function observePod(
  tx: Transaction,
  pod: { readonly session: string; readonly epoch: number; readonly podUid: string },
): boolean {
  const session = findSession(tx, pod.session);
  if (!session || pod.epoch < session.epoch) return false;
  if (pod.podUid === session.pod_uid || isEnded(tx, pod.session, pod.podUid)) return false;
  endInstance(tx, session);
  if (session.pod_uid !== null) markEnded(tx, pod.session, session.pod_uid);
  // A raised epoch of a session that nobody wants has to be told to the starter again.
  const raised = pod.epoch > session.epoch && session.wanted === 0 ? 1 : 0;
  tx.run(setPod, pod.epoch, pod.podUid, raised, pod.session);
  return true;
}

export function expireHolders(tx: Transaction): readonly ExpiredHolder[] {
  return tx.holders.expired(tx.monotonic).flatMap(({ owner, instance }) => {
    const session = findSession(tx, owner);
    if (session?.instance !== instance) {
      tx.holders.forget(owner, instance);
      return [];
    }
    endInstance(tx, session);
    return [{ session: owner, instance }];
  });
}

/** Gives every holder the full lease time again, when the database is opened. */
export function restartHolderLeases(tx: Transaction): void {
  for (const { session, instance } of tx.all(selectInstances)) tx.holders.restart(session, instance, tx.monotonic);
}
