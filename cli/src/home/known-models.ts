import type { HarnessName } from "@copepod/agent-image/harnesses/harness";
import { apiVersion } from "@copepod/crds/definition";

/** What Copepod sets up by itself for a model API whose key it is given. */
interface KnownModel {
  /** Harness that speaks the API. */
  readonly provider: HarnessName;
  readonly upstream: object;
}

/** By the name of the key, which is also the name of the Credential. */
export const knownModels = {
  anthropic: { provider: "claude", upstream: { api: "Anthropic" } },
  claude: { provider: "claude", upstream: { api: "Anthropic", subscription: true } },
  openai: { provider: "codex", upstream: { api: "OpenAI" } },
} as const satisfies Record<string, KnownModel>;

export type KnownModelName = keyof typeof knownModels;

export const isKnownModel = (name: string): name is KnownModelName => Object.hasOwn(knownModels, name);

/** The Credential of a known model API. @param more further fields of its spec */
export const knownCredential = (name: KnownModelName, more: object = {}): Record<string, unknown> => ({
  apiVersion,
  kind: "Credential",
  metadata: { name },
  spec: { upstream: knownModels[name].upstream, secretRef: { name }, ...more },
});
