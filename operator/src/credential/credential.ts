import type { AgentGroup } from "@copepod/crds/agent-group";
import type { Credential } from "@copepod/crds/credential";
import { maxUsersListed } from "@copepod/crds/workspace";
import { Controller, type ReconcileResult } from "@copepod/kube/controller/controller";
import { ownKey } from "@copepod/kube/controller/owners";
import { isMoreThanStatus, sourceOf } from "@copepod/kube/controller/sources";
import { ApiError, isNotFound } from "@copepod/kube/errors";
import { isRecord, keyOf, type Resource } from "@copepod/kube/object";
import { groupsThat } from "../group/gather.ts";
import type { Caches, LeaderParts } from "../parts.ts";
import { credentials } from "../resources.ts";
import type { Seen } from "../seen.ts";
import type { Verdict } from "../status/status.ts";
import { earliest, StatusWriter } from "../status/status-writer.ts";

/** Secrets are not followed, since that would be reading them all: one that a Credential names is looked at this often. */
const secretCheckMs = 60_000;

const secrets: Resource = { group: "", version: "v1", kind: "Secret", plural: "secrets", namespaced: true };

type SecretRef = Credential["spec"]["secretRef"];

/** Says of each Credential whether its key is there, and who uses it. */
export function makeCredentialController(parts: LeaderParts): Controller {
  const { caches, clock, random, log, observerOf } = parts;
  const name = "credential";
  const status = new StatusWriter(parts, credentials);

  const reconcile = async (key: string, signal: AbortSignal): Promise<ReconcileResult | undefined> => {
    const credential = caches.credentials.get(key);
    if (!credential || credential.metadata.deletionTimestamp !== undefined) {
      status.forget(key);
      return undefined;
    }
    if (!credential.resource) return await status.writeInvalid(key, credential, signal);
    const { metadata, spec } = credential.resource;
    const { secretRef } = spec;
    const place = { namespace: metadata.namespace, name: secretRef?.name ?? "" };
    const verdicts = [judgeSecret(secretRef, secretRef ? await lookAtSecret(parts, place, signal) : [])];
    const fields = { usedBy: usersOf(credential, caches) };
    const written = await status.write(key, credential, { verdicts, fields }, signal);
    return earliest([written, secretRef && { requeueAfterMs: secretCheckMs }]);
  };

  const sources = [
    sourceOf(caches.credentials, { keysOf: ownKey, when: isMoreThanStatus }),
    sourceOf(caches.groups, { keysOf: ofGroup, when: isMoreThanStatus }),
  ];
  return new Controller({
    ...{ name, clock, random, log, reconcile, sources, observer: observerOf(name) },
  });
}

/** What is known of a Secret: the names of its keys. */
export type SecretLook = readonly string[] | "missing" | "notAllowed";

/** Pure. */
export function judgeSecret(ref: SecretRef, look: SecretLook): Verdict {
  const said = (status: Verdict["status"], reason: string, message: string) => ({
    ...{ type: "Ready", status, reason, message },
  });
  if (!ref) return said("True", "Ready", "No key is put in.");
  if (look === "notAllowed") {
    return said("Unknown", "NotChecked", `The operator may not look at the Secret ${ref.name}; give it the verb get.`);
  }
  if (look === "missing") {
    const cure = `kubectl create secret generic ${ref.name} --from-file=${ref.key}=<file>`;
    return said("False", "SecretMissing", `There is no Secret ${ref.name}; create it, such as by \`${cure}\`.`);
  }
  if (!look.includes(ref.key)) {
    return said(
      "False",
      "KeyMissing",
      `The Secret ${ref.name} has no key ${ref.key}; add it, or correct secretRef.key.`,
    );
  }
  return said("True", "Ready", "Its Secret has the key.");
}

/** Of the answer only the names are looked at: values are neither kept nor told to anybody. */
async function lookAtSecret(
  { client }: LeaderParts,
  place: { readonly namespace: string; readonly name: string },
  signal: AbortSignal,
): Promise<SecretLook> {
  try {
    const { data } = await client.get(secrets, place, { signal });
    return isRecord(data) ? Object.keys(data) : [];
  } catch (error) {
    if (isNotFound(error)) return "missing";
    if (error instanceof ApiError && error.status === 403) return "notAllowed";
    throw error;
  }
}

const ofGroup = ({ metadata: { namespace }, resource }: Seen<AgentGroup>): string[] =>
  resource?.spec.credentials.map((name) => keyOf({ namespace, name })) ?? [];

const usersOf = ({ metadata: { namespace, name = "" } }: Seen<Credential>, caches: Caches): string[] =>
  groupsThat(caches, namespace, ({ credentials: named }) => named.includes(name)).slice(0, maxUsersListed);
