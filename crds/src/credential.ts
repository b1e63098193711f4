import { connectionHeaders, modelApis } from "@copepod/core/proxy-rules";
import { z } from "zod";
import { conditionsSchema, readyColumns } from "./conditions.ts";
import { type Definition, resourceSchema } from "./definition.ts";
import { countSchema, resourceNameSchema, setOf } from "./fields.ts";
import { withRule } from "./rule.ts";
import { maxUsersListed } from "./workspace.ts";

/** Longest host, path and base URL: a path below a base URL still fits in a rule of the proxy. */
const maxHostLength = 253;
const maxPathLength = 256;
const maxUrlLength = 256;
const maxHeaderLength = 100;
const maxFormatLength = 200;
const maxPatterns = 50;
const maxRevision = 2_147_483_647;

const label = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?";
const port = "(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?";
const octet = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
/** A name whose last label is no number: that would be another notation of an address. */
const hostName = `(${label}\\.)*[a-z]([-a-z0-9]{0,61}[a-z0-9])?`;
const ipv4 = `(${octet}\\.){3}${octet}`;
/** Never "." or "..", and nothing that a server may read in two ways. */
const pathSegment = "\\.?[A-Za-z0-9_~!$&'()+,=:@-][A-Za-z0-9._~!$&'()+,=:@-]*";
const baseSegment = "\\.?[A-Za-z0-9_~-]+(\\.[A-Za-z0-9_~-]+)*";

const hostPattern = z
  .string()
  .max(maxHostLength)
  .regex(
    new RegExp(`^((${hostName}|${ipv4})${port}|\\*\\.(${label}\\.)+[a-z]([-a-z0-9]{0,61}[a-z0-9])?)$`),
    "must be a host in lower case, with a port if need be, or *. before at least two labels",
  );

const pathPattern = z
  .string()
  .max(maxPathLength)
  .regex(
    new RegExp(`^(/(\\*|${pathSegment}))*(/|/(\\*|${pathSegment})|/\\*\\*)$`),
    "must be a path, with * for one segment or /** at its end",
  );

const method = z
  .string()
  .max(20)
  .regex(/^[A-Z]+$/, "must be a method in capitals");

const match = z.strictObject({
  hosts: setOf(hostPattern, { min: 1, max: maxPatterns })
    .optional()
    .describe(
      "Hosts: exact, such as `api.example.org` or `git.example.org:8443`, or `*.example.org` for all names below. " +
        "Default: the host of upstream.baseUrl.",
    ),
  paths: setOf(pathPattern, { min: 1, max: maxPatterns }).describe(
    "Whole paths on the host: exact, with `*` for one segment, or with `/**` at the end for all below.",
  ),
  methods: setOf(method, { min: 1, max: 20 }).describe("HTTP methods, in capitals."),
});

const header = withRule(
  z
    .string()
    .max(maxHeaderLength)
    .regex(/^[a-z0-9][a-z0-9_-]*$/, "must be the name of a header in lower case"),
  {
    cel: `!(self in [${connectionHeaders.map((name) => `'${name}'`).join(", ")}])`,
    message: "must not be a header about the connection itself",
    holds: (name) => !connectionHeaders.includes(name),
  },
);

const format = withRule(
  z
    .string()
    .max(maxFormatLength)
    .regex(/^[ -~]*$/, "must be printable ASCII"),
  {
    cel: "self.split('{secret}').size() == 2",
    message: "must contain {secret} exactly once",
    holds: (text) => text.split("{secret}").length === 2,
  },
);

const inject = z.strictObject({
  header: header.describe("Name of the header, in lower case. Every other header that may hold a key is taken out."),
  format: format.describe("Its value, with {secret} in the place of the key, such as `Bearer {secret}`."),
});

const secretRef = z.strictObject({
  name: resourceNameSchema.describe("Name of the Secret; on one machine the name given to `copepod keys add`."),
  key: z
    .string()
    .max(maxHostLength)
    .regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/, "must be letters, digits, dots, dashes and underscores")
    .default("key")
    .describe('Key within the Secret. Default "key".'),
});

const baseUrl = withRule(
  z
    .string()
    .max(maxUrlLength)
    .regex(
      new RegExp(`^https?://(${hostName}|${ipv4}|\\[[0-9a-f:]{2,39}\\])${port}(/${baseSegment})*$`),
      "must be http(s)://host[:port][/path], in lower case up to the path, without a slash at its end, query and user",
    ),
  { cel: "isURL(self)", message: "must be a URL", holds: (text) => URL.canParse(text) },
);

const upstreamObject = z.strictObject({
  api: z.enum(modelApis).describe("Wire format of the API."),
  baseUrl: baseUrl
    .optional()
    .describe(
      "Base URL of the API. Default: `https://api.anthropic.com` for Anthropic, `https://api.openai.com/v1` for OpenAI.",
    ),
  private: z
    .boolean()
    .default(false)
    .describe(
      "true: the host may have a private or loopback address, and http is allowed to such an address, to no other. " +
        "Metadata services are never reached. Default false.",
    ),
  subscription: z
    .boolean()
    .default(false)
    .describe("true: the key is the token of a Claude subscription, not one of the API. Default false."),
});

const withEncryption = withRule(upstreamObject, {
  cel: "!has(self.baseUrl) || self.private || !self.baseUrl.startsWith('http://')",
  message: "a baseUrl with http needs private: true",
  holds: (upstream) => upstream.private || upstream.baseUrl?.startsWith("http://") !== true,
});

const upstream = withRule(withEncryption, {
  cel: "!self.subscription || self.api == 'Anthropic'",
  message: "subscription is only for the api Anthropic",
  holds: (one) => !one.subscription || one.api === "Anthropic",
});

const specObject = z.strictObject({
  upstream: upstream
    .optional()
    .describe(
      "A model API that agents reach at the base URL `/<name of the Credential>` of their proxy. Default none.",
    ),
  match: match
    .optional()
    .describe(
      "Requests that are let through and get the key. Default: what upstream.api needs: for Anthropic POST " +
        "`/v1/messages` and `/v1/messages/count_tokens`, GET `/v1/models`; for OpenAI POST `/responses`, " +
        "`/responses/compact` and `/chat/completions`, GET `/models`; each below upstream.baseUrl.",
    ),
  inject: inject
    .optional()
    .describe(
      "How the key is put in. Default: for Anthropic `x-api-key: {secret}`; with subscription, and for OpenAI, " +
        "`authorization: Bearer {secret}`.",
    ),
  secretRef: secretRef.optional().describe("Where the key is. Default: none; then no key is put in."),
  revision: countSchema(0, maxRevision).default(0).describe("Raise it to have the key read again at once. Default 0."),
});

const withHosts = withRule(specObject, {
  cel: "has(self.upstream) != (has(self.match) && has(self.match.hosts))",
  message: "exactly one of upstream and match.hosts is required",
  holds: (one) => (one.upstream === undefined) !== (one.match?.hosts === undefined),
});

const spec = withRule(withHosts, {
  cel: "has(self.upstream) || has(self.inject)",
  message: "inject is required without upstream",
  holds: (one) => one.upstream !== undefined || one.inject !== undefined,
}).describe("What people decided about the credential.");

export const credentialSchema = withRule(resourceSchema("Credential", spec), {
  cel: "!has(self.spec.upstream) || self.metadata.name != 'v1'",
  message: 'a Credential with upstream must not be called "v1": its name is the first part of the path at the proxy',
  holds: (one) => one.spec.upstream === undefined || one.metadata.name !== "v1",
  path: ["metadata", "name"],
});
/** "Requests to these hosts and paths get this header from this Secret." */
export type Credential = z.output<typeof credentialSchema>;

export const credentialDefinition: Definition = {
  kind: "Credential",
  plural: "credentials",
  shortName: "cpcred",
  description: "Says which requests of agents get which key. Agents never see the key.",
  decidedByPeople: true,
  schema: credentialSchema,
  spec,
  status: z.strictObject({
    usedBy: setOf(resourceNameSchema, { min: 0, max: maxUsersListed })
      .optional()
      .describe("Agent groups that name it."),
    conditions: conditionsSchema,
  }),
  columns: [
    { name: "API", type: "string", jsonPath: ".spec.upstream.api", description: "Wire format" },
    { name: "Base-URL", type: "string", jsonPath: ".spec.upstream.baseUrl", description: "Where the API is" },
    { name: "Secret", type: "string", jsonPath: ".spec.secretRef.name", description: "Where the key is" },
    { name: "Revision", type: "integer", jsonPath: ".spec.revision", description: "Raised to read the key again" },
    ...readyColumns,
  ],
};
