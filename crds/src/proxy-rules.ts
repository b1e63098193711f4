import { keyOf } from "@copepod/core/addresses";
import type { ModelApi, ProxyRules, Rule, UpstreamRule } from "@copepod/core/proxy-rules";
import { findOverlap } from "@copepod/core/rule-overlap";
import type { AgentGroup } from "./agent-group.ts";
import type { Credential } from "./credential.ts";

const officialBaseUrls: Readonly<Record<ModelApi, string>> = {
  Anthropic: "https://api.anthropic.com",
  OpenAI: "https://api.openai.com/v1",
};

/** What harnesses ask of each API, below the base URL. */
const ownRequests: Readonly<
  Record<ModelApi, readonly { readonly method: string; readonly paths: readonly string[] }[]>
> = {
  Anthropic: [
    { method: "POST", paths: ["/v1/messages", "/v1/messages/count_tokens"] },
    { method: "GET", paths: ["/v1/models"] },
  ],
  OpenAI: [
    { method: "POST", paths: ["/responses", "/responses/compact", "/chat/completions"] },
    { method: "GET", paths: ["/models"] },
  ],
};

export interface RenderedRules {
  readonly rules: ProxyRules;
  /** Names in `spec.credentials` that no Credential has. */
  readonly missing: readonly string[];
  /** Credentials that are left out, since one before them claims some of the same requests. */
  readonly overlapping: readonly { readonly name: string; readonly with: string; readonly where: string }[];
}

interface Part {
  readonly upstream: UpstreamRule | undefined;
  readonly rules: readonly Rule[];
}

/** What of an agent group decides about its rules. */
interface Asking {
  readonly metadata: Pick<AgentGroup["metadata"], "name" | "namespace">;
  readonly spec: Pick<AgentGroup["spec"], "credentials">;
}

/**
 * All that a session's proxy decides by. Pure.
 * @param credentials by row key; of the group's namespace those count that it names, in its order
 */
export function renderProxyRules(
  { metadata, spec }: Asking,
  credentials: ReadonlyMap<string, Credential>,
): RenderedRules {
  const missing: string[] = [];
  const overlapping: RenderedRules["overlapping"][number][] = [];
  const upstreams: UpstreamRule[] = [];
  const rules: Rule[] = [];
  for (const name of spec.credentials) {
    const credential = credentials.get(keyOf(metadata.namespace, name));
    if (!credential) {
      missing.push(name);
      continue;
    }
    const part = renderCredential(credential);
    const overlap = firstOverlap(part.rules, rules);
    if (overlap) {
      overlapping.push({ name, ...overlap });
      continue;
    }
    if (part.upstream) upstreams.push(part.upstream);
    rules.push(...part.rules);
  }
  return { rules: { group: metadata.name, upstreams, rules }, missing, overlapping };
}

/** The first requests that two tables both claim: which credential of `others`, and where. */
function firstOverlap(
  rules: readonly Rule[],
  others: readonly Rule[],
): { readonly with: string; readonly where: string } | undefined {
  for (const rule of rules) {
    for (const other of others) {
      const where = findOverlap(rule, other);
      if (where !== undefined) return { with: other.credential, where };
    }
  }
  return undefined;
}

function renderCredential({ metadata: { name }, spec }: Credential): Part {
  const upstream = spec.upstream && {
    name,
    ...spec.upstream,
    baseUrl: spec.upstream.baseUrl ?? officialBaseUrls[spec.upstream.api],
  };
  const common = {
    credential: name,
    inject: spec.inject ?? defaultInject(upstream),
    ...(spec.secretRef ? { secret: spec.secretRef } : {}),
    revision: spec.revision,
  };
  return { upstream, rules: matchesOf(spec.match, upstream).map((match) => ({ ...common, ...match })) };
}

function matchesOf(match: Credential["spec"]["match"], upstream: UpstreamRule | undefined) {
  if (!upstream) return match?.hosts ? [{ ...match, hosts: match.hosts }] : [];
  const { host, pathname } = new URL(upstream.baseUrl);
  if (match) return [{ ...match, hosts: [host] }];
  const base = pathname === "/" ? "" : pathname;
  return ownRequests[upstream.api].map(({ method, paths }) => ({
    hosts: [host],
    paths: paths.map((path) => `${base}${path}`),
    methods: [method],
  }));
}

/** The schema of a Credential asks for `inject` where there is no upstream. */
function defaultInject(upstream: UpstreamRule | undefined): Rule["inject"] {
  if (upstream?.api === "Anthropic" && !upstream.subscription) return { header: "x-api-key", format: "{secret}" };
  return { header: "authorization", format: "Bearer {secret}" };
}
