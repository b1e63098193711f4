import type { Upstream } from "@copepod/core/proxy-api";
import type { ModelApi } from "@copepod/core/proxy-rules";
import type { HarnessName } from "../harnesses/harness.ts";

/** What an agent group and its machine must have for a provider. */
export interface ProviderNeeds {
  /** What has to be installed. A provider with a harness runs commands, and so needs a sandbox. */
  readonly harness: HarnessName | undefined;
  /** Formats that it speaks, of which one is needed; empty = it asks no model. */
  readonly apis: readonly ModelApi[];
  /** Whether it can speak like one that is logged in to a subscription. */
  readonly takesSubscription: boolean;
  /** Whether `spec.agent.model` has to be set. */
  readonly needsModel: boolean;
}

/** All providers. Costs nothing to import: their code is read by the registry. */
export const providerNeeds = {
  demo: { harness: undefined, apis: [], takesSubscription: false, needsModel: false },
  claude: { harness: "claude", apis: ["Anthropic"], takesSubscription: true, needsModel: false },
  codex: { harness: "codex", apis: ["OpenAI"], takesSubscription: false, needsModel: false },
  opencode: { harness: "opencode", apis: ["Anthropic", "OpenAI"], takesSubscription: false, needsModel: true },
} as const satisfies Readonly<Record<string, ProviderNeeds>>;

export type ProviderName = keyof typeof providerNeeds;

export const isProvider = (name: string): name is ProviderName => Object.hasOwn(providerNeeds, name);

/** For a person. */
export const knownProviders: string = Object.keys(providerNeeds).join(", ");

/** The first that the provider can use. */
export function findUpstream<T extends Pick<Upstream, "api" | "subscription">>(
  name: ProviderName,
  upstreams: readonly T[],
): T | undefined {
  const { apis, takesSubscription }: ProviderNeeds = providerNeeds[name];
  return upstreams.find(({ api, subscription }) => apis.includes(api) && (takesSubscription || !subscription));
}

/** What kind of Credential is to be named in `spec.credentials`, such as `upstream.api Anthropic`. */
export function wantedCredential(name: ProviderName): string {
  const { apis, takesSubscription }: ProviderNeeds = providerNeeds[name];
  const isRefused = !takesSubscription && apis.includes("Anthropic");
  return `upstream.api ${apis.join(" or ")}${isRefused ? " and no subscription" : ""}`;
}

/** Why a turn fails that has no upstream. */
export const upstreamMissing = (name: ProviderName): string =>
  `the agent group has no Credential that ${name} can use; name one with ${wantedCredential(name)} in spec.credentials`;
