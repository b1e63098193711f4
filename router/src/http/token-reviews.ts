import { createHash } from "node:crypto";
import type { audiences } from "@copepod/core/cluster";
import { CopepodError } from "@copepod/core/errors";
import type { KubeClient } from "@copepod/kube/client/client";
import type { Resource } from "@copepod/kube/object";
import { z } from "zod";
import type { Clock } from "../queue/queue-store.ts";

const tokenReviews: Resource = {
  group: "authentication.k8s.io",
  version: "v1",
  kind: "TokenReview",
  plural: "tokenreviews",
  namespaced: false,
};

export type Audience = (typeof audiences)[keyof typeof audiences];

/** Whose token it is, as the API server says. */
export interface Reviewed {
  /** Such as `system:serviceaccount:agents:copepod-group-helper`. */
  readonly username: string;
  /** The pod that the token is bound to. */
  readonly pod: { readonly name: string; readonly uid: string } | undefined;
}

/**
 * A good answer counts until its token expires, and no longer than this. A session's token may be kept for its life: the
 * queue compares the pod with each call, so that one whose pod has gone is worth nothing.
 */
const maxAgeMs: Readonly<Record<Audience, number>> = {
  "copepod-router": 60 * 60_000,
  "copepod-channel": 5 * 60_000,
  "copepod-admin": 60_000,
};
/** A refused token is not asked about again so soon. */
const refusedAgeMs = 1_000;
/** Answers that are kept; those that were not used for the longest time go first. */
const maxKept = 20_000;
const reviewTimeoutMs = 10_000;

interface Kept {
  readonly answer: Promise<Reviewed | undefined>;
  /** Monotonic ms. */
  until: number;
}

/** Asks the API server whose a token is, and remembers its answers by the tokens' hashes. */
export class TokenReviews {
  readonly #client: Pick<KubeClient, "create">;
  readonly #clock: Clock;
  readonly #kept = new Map<string, Kept>();

  constructor(client: Pick<KubeClient, "create">, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** @throws CopepodError `unauthorized`; `clusterUnavailable` when nobody can say */
  async review(token: string, audience: Audience): Promise<Reviewed> {
    const refusal = `the token is not valid here; get a new one with the audience ${audience}`;
    // Anybody may send anything: what can't be good costs no question.
    if (!claimsOf(token)?.aud.includes(audience)) throw new CopepodError("unauthorized", refusal);
    const key = createHash("sha256").update(`${audience} ${token}`).digest("base64");
    const reviewed = await (this.#find(key) ?? this.#ask(key, token, audience));
    if (reviewed) return reviewed;
    throw new CopepodError("unauthorized", refusal);
  }

  #find(key: string): Kept["answer"] | undefined {
    const kept = this.#kept.get(key);
    if (!kept) return undefined;
    this.#kept.delete(key);
    if (kept.until <= this.#clock.monotonic()) return undefined;
    this.#kept.set(key, kept);
    return kept.answer;
  }

  #ask(key: string, token: string, audience: Audience): Kept["answer"] {
    const kept: Kept = { answer: this.#call(token, audience), until: Number.POSITIVE_INFINITY };
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size < maxKept) break;
      this.#kept.delete(oldest);
    }
    this.#kept.set(key, kept);
    kept.answer.then(
      (reviewed) => {
        const ageMs = reviewed ? Math.min(maxAgeMs[audience], expiresInMs(token, this.#clock.now())) : refusedAgeMs;
        kept.until = this.#clock.monotonic() + ageMs;
      },
      // An outage is no answer.
      () => this.#kept.get(key) === kept && this.#kept.delete(key),
    );
    return kept.answer;
  }

  async #call(token: string, audience: Audience): Promise<Reviewed | undefined> {
    const review = { metadata: {}, spec: { token, audiences: [audience] } };
    const { status } = await this.#client.create(tokenReviews, review, { timeoutMs: reviewTimeoutMs });
    const { authenticated, user, audiences: good } = statusSchema.parse(status);
    // A server that does not know audiences names none: then the token may have been made for anybody.
    if (!authenticated || !user?.username || !good.includes(audience)) return undefined;
    const [name] = user.extra["authentication.kubernetes.io/pod-name"] ?? [];
    const [uid] = user.extra["authentication.kubernetes.io/pod-uid"] ?? [];
    return { username: user.username, pod: name && uid ? { name, uid } : undefined };
  }
}

const statusSchema = z.object({
  authenticated: z.boolean().default(false),
  audiences: z.array(z.string()).default([]),
  user: z
    .object({ username: z.string().optional(), extra: z.record(z.string(), z.array(z.string())).default({}) })
    .optional(),
});

const claimsSchema = z.object({
  exp: z.number().optional(),
  aud: z.union([z.string().transform((one) => [one]), z.array(z.string())]),
});

/** What the token says of itself; undefined for what is none of the API server's. */
function claimsOf(token: string): z.output<typeof claimsSchema> | undefined {
  try {
    return claimsSchema.parse(JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()));
  } catch {
    return undefined;
  }
}

/** As the token itself says, which the API server has found good. One that does not say it is asked about again and again. */
function expiresInMs(token: string, now: number): number {
  const exp = claimsOf(token)?.exp;
  return exp === undefined ? refusedAgeMs : exp * 1_000 - now;
}

/** The service account of a user name. */
export function serviceAccountOf(username: string): { readonly namespace: string; readonly name: string } | undefined {
  const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(username) ?? [];
  return namespace === undefined || name === undefined ? undefined : { namespace, name };
}
