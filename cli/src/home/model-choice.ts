import { BlockList, isIP } from "node:net";
import type { HarnessName } from "@copepod/agent-image/harnesses/harness";
import type { CopepodError } from "@copepod/core/errors";
import { describeIssues, parseResource } from "@copepod/crds/parse";
import { ExitError } from "../exit-codes.ts";
import { checkKeyValue } from "./keys.ts";
import { type KnownModelName, knownCredential, knownModels } from "./known-models.ts";

/** What a person's environment says about model APIs, as other programs read it too. */
export interface ModelEnvironment {
  readonly anthropicKey: string | undefined;
  /** Sent as a bearer token to `anthropicBaseUrl`. */
  readonly anthropicToken: string | undefined;
  readonly anthropicBaseUrl: string | undefined;
  readonly claudeToken: string | undefined;
  readonly openaiKey: string | undefined;
}

export interface ModelChoice {
  /** Of the key and of the Credential. */
  readonly name: KnownModelName;
  /** Harness of the sample agent. */
  readonly provider: HarnessName;
  /** Where it was found, for a person. */
  readonly source: string;
  /** To be stored; undefined = there is none, or it is stored already. */
  readonly key: string | undefined;
  readonly credential: object;
}

interface Found {
  readonly name: KnownModelName;
  readonly source: string;
  readonly key?: string | undefined;
  /** Further fields of the Credential's spec. */
  readonly more?: object;
}

/**
 * The model API that the sample agent shall use: what the environment names, else what has a key already.
 * @throws CopepodError `invalid` naming the variable, never its value
 */
export function chooseModel(env: ModelEnvironment, stored: ReadonlySet<KnownModelName>): ModelChoice | undefined {
  const found = findAnthropic(env, stored.has("anthropic")) ?? findOther(env) ?? findStored(stored);
  if (!found) return undefined;
  const { name, source, more } = found;
  const credential = knownCredential(name, more);
  const parsed = parseResource(credential);
  if (!parsed.ok) throw unusable("ANTHROPIC_BASE_URL", describeIssues(parsed.issues));
  const key = found.key === undefined ? undefined : checkedKey(found.key, source);
  return { name, provider: knownModels[name].provider, source, key, credential };
}

function findAnthropic(env: ModelEnvironment, isStored: boolean): Found | undefined {
  const { anthropicKey, anthropicToken, anthropicBaseUrl } = env;
  if (anthropicBaseUrl === undefined) {
    return anthropicKey === undefined
      ? undefined
      : { name: "anthropic", source: "ANTHROPIC_API_KEY", key: anthropicKey };
  }
  const upstream = { ...knownModels.anthropic.upstream, ...upstreamAt(anthropicBaseUrl) };
  const at = (variable: string) => `${variable} and ANTHROPIC_BASE_URL`;
  if (anthropicKey !== undefined) {
    return { name: "anthropic", source: at("ANTHROPIC_API_KEY"), key: anthropicKey, more: { upstream } };
  }
  if (anthropicToken !== undefined) {
    const inject = { header: "authorization", format: "Bearer {secret}" };
    return { name: "anthropic", source: at("ANTHROPIC_AUTH_TOKEN"), key: anthropicToken, more: { upstream, inject } };
  }
  const secret = isStored ? {} : { secretRef: undefined };
  return { name: "anthropic", source: "ANTHROPIC_BASE_URL", more: { upstream, ...secret } };
}

function findOther({ claudeToken, openaiKey }: ModelEnvironment): Found | undefined {
  if (claudeToken !== undefined) return { name: "claude", source: "CLAUDE_CODE_OAUTH_TOKEN", key: claudeToken };
  return openaiKey === undefined ? undefined : { name: "openai", source: "OPENAI_API_KEY", key: openaiKey };
}

function findStored(stored: ReadonlySet<KnownModelName>): Found | undefined {
  const name = (["anthropic", "claude", "openai"] as const).find((one) => stored.has(one));
  return name && { name, source: `the key "${name}"` };
}

function upstreamAt(text: string): { baseUrl: string; private: boolean } {
  if (!URL.canParse(text)) return { baseUrl: text, private: false };
  const { href, protocol, hostname } = new URL(text);
  const isPrivate = isPrivateHost(hostname);
  if (protocol === "http:" && !isPrivate) {
    const why =
      "its host is public, and http would show the key on the way. Use https, or write the Credential yourself.";
    throw unusable("ANTHROPIC_BASE_URL", why);
  }
  return { baseUrl: href.replace(/\/+$/, ""), private: isPrivate };
}

const privateAddresses = new BlockList();
for (const [network, prefix] of [
  ["127.0.0.0", 8],
  ["10.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
  ["100.64.0.0", 10],
] as const) {
  privateAddresses.addSubnet(network, prefix, "ipv4");
}
privateAddresses.addAddress("::1", "ipv6");
privateAddresses.addSubnet("fc00::", 7, "ipv6");

/** A name without a dot is one of the local network. */
function isPrivateHost(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, "");
  const family = isIP(host);
  if (family !== 0) return privateAddresses.check(host, family === 6 ? "ipv6" : "ipv4");
  return !host.includes(".") || /\.(localhost|local|internal|lan)$/.test(host);
}

function checkedKey(value: string, source: string): string {
  try {
    return checkKeyValue(value);
  } catch (error) {
    throw unusable(source, error instanceof Error ? error.message : String(error));
  }
}

const unusable = (source: string, why: string): CopepodError =>
  new ExitError("failure", "invalid", {
    message: `${source} can't be used: ${why}`,
    cure: "Mend or unset it, then start again. Nothing was made yet.",
  });
