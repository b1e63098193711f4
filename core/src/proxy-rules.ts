import { z } from "zod";
import { maxNameLength } from "./limits.ts";

/** Wire formats of model APIs. */
export const modelApis = ["Anthropic", "OpenAI"] as const;
export type ModelApi = (typeof modelApis)[number];

const name = z.string().min(1).max(maxNameLength);

/**
 * Headers about one connection and the framing on it, in lower case: no key goes into them, and whoever hands a request
 * on makes them anew.
 */
export const connectionHeaders: readonly string[] = [
  "accept-encoding",
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** One row of the table that decides both what is let through and which credential is put in. */
export const ruleSchema = z.strictObject({
  /** Name of the Credential. */
  credential: name,
  /** `host` or `host:port`, lower case, exact; or `*.` and at least two labels, which matches names below that. */
  hosts: z.array(name).min(1),
  /** Path patterns: exact, or with `*` for one segment, or with `/**` at the end for everything below. */
  paths: z.array(name).min(1),
  methods: z.array(z.string().regex(/^[A-Z]{1,20}$/)).min(1),
  inject: z.strictObject({
    /** Lower case. */
    header: name,
    /** With `{secret}` once, such as `Bearer {secret}`. */
    format: name,
  }),
  /** File `<name>/<key>` below the folder of keys; absent = nothing is put in, only placeholders are taken out. */
  secret: z.strictObject({ name, key: name }).optional(),
  /** Raised to have the secret read anew at once. */
  revision: z.int().nonnegative(),
});
export type Rule = z.output<typeof ruleSchema>;

/** A model API at a base URL of the proxy. Its requests pass the rules like all others. */
export const upstreamRuleSchema = z.strictObject({
  /** Name of the Credential, and first segment of the path at the proxy. */
  name,
  api: z.enum(modelApis),
  /** `https://host[:port][/path]`, or `http:` where `private` is set or the host is loopback. Without a slash at the end. */
  baseUrl: name,
  /** The host may have a private or loopback address: exactly this host and port. */
  private: z.boolean(),
  subscription: z.boolean(),
});
export type UpstreamRule = z.output<typeof upstreamRuleSchema>;

/** All that a session's proxy decides by: one JSON file, rendered from the agent group and its Credentials. */
export const proxyRulesSchema = z.strictObject({
  /** Name of the agent group. */
  group: name,
  /** In the order of the agent group's credentials. */
  upstreams: z.array(upstreamRuleSchema),
  rules: z.array(ruleSchema),
});
export type ProxyRules = z.output<typeof proxyRulesSchema>;
