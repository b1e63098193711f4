import { readFile } from "node:fs/promises";
import { audiences } from "@copepod/core/cluster";
import { CopepodError } from "@copepod/core/errors";
import type { KubeClient } from "@copepod/kube/client/client";
import type { Clock } from "@copepod/kube/clock";
import { ApiError, isNotFound } from "@copepod/kube/errors";
import { keyOf, type ObjectName } from "@copepod/kube/object";
import { ExitError } from "../exit-codes.ts";
import { valueAt } from "../output/value-at.ts";
import { serviceAccounts } from "./kinds.ts";

/** Kubernetes gives none for less than ten minutes. */
const lifeSeconds = 3_600;
/** One is renewed when so much of its life is over. */
const renewAfterMs = 0.8 * lifeSeconds * 1_000;

/** A token for the router's admin API, as of now. It stands in no argument, no log and no error. */
export type RouterToken = () => Promise<string>;

/** Tokens of a service account, by the right of the person who asks. */
export function requestedToken(client: KubeClient, account: ObjectName, clock: Clock): RouterToken {
  let kept: { readonly token: Promise<string>; readonly until: number } | undefined;
  return () => {
    if (kept && clock.monotonic() < kept.until) return kept.token;
    const token = request(client, account);
    kept = { token, until: clock.monotonic() + renewAfterMs };
    token.catch(() => {
      kept = undefined;
    });
    return token;
  };
}

/** The token in a file, which somebody else renews. */
export function tokenOfFile(path: string): RouterToken {
  return async () => {
    const text = await readFile(path, "utf8").catch((cause: Error) => {
      throw new CopepodError("notFound", `can't read the token file: ${cause.message}`, { cause });
    });
    if (/^[\w.~+/=-]+$/.test(text.trim())) return text.trim();
    throw new CopepodError("invalid", `${path} holds no token, which is one word of letters and digits`);
  };
}

async function request(client: KubeClient, account: ObjectName): Promise<string> {
  const object = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    metadata: account,
    spec: { audiences: [audiences.admin], expirationSeconds: lifeSeconds },
  };
  const answer = await client.create(serviceAccounts, object, { subresource: "token" }).catch((error) => {
    throw explain(error, account);
  });
  const token = valueAt(answer, ".status.token");
  if (typeof token === "string") return token;
  throw new CopepodError("clusterUnavailable", "the API server answered a TokenRequest without a token");
}

function explain(error: unknown, account: ObjectName): unknown {
  if (isNotFound(error)) {
    return new ExitError("notFound", "notFound", {
      message: `the service account "${keyOf(account)}" does not exist`,
      cure: "Name yours with `--service-account <name>`, or `<namespace>/<name>`. `copepod install` makes one for you.",
    });
  }
  if (!(error instanceof ApiError) || error.status !== 403) return error;
  const right = `create serviceaccounts/token "${account.name}" in the namespace "${account.namespace}"`;
  const [, why = `you lack the right to ${right}`] =
    / denied request: (.+?)(?: \(HTTP \d+\))?$/s.exec(error.message) ?? [];
  return new ExitError("refused", "forbidden", {
    message: `you may not speak as the service account "${keyOf(account)}": ${why}`,
    cure: "Use your own service account with `--service-account <name>`, or ask an administrator for this right.",
  });
}
