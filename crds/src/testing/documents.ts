import { apiVersion } from "../definition.ts";

/** A text is the sentence of a rule in CEL, which both ends say; a RegExp is for words that are said here only. */
export type Reason = string | RegExp;

export type RefusedDocuments = Readonly<Record<string, readonly [document: unknown, path: string, reason: Reason]>>;

export const resource = (kind: string, spec?: unknown, metadata: object = { name: "x" }) => ({
  apiVersion,
  kind,
  metadata,
  ...(spec === undefined ? {} : { spec }),
});

export const group = (spec?: unknown) => resource("AgentGroup", spec);
/** An agent group with this metadata. */
export const named = (metadata: object) => resource("AgentGroup", {}, metadata);
/** An agent group with these MCP servers. */
export const mcp = (...servers: unknown[]) => group({ tools: { mcpServers: servers } });
/** An agent group whose one MCP server has these fields too. */
export const server = (fields: object) => mcp({ name: "a", command: "b", ...fields });
export const channel = (spec: unknown) => resource("Channel", spec);
export const user = (spec: object) => resource("User", { identities: ["a:1"], ...spec });
export const session = (spec: object) => resource("Session", { group: "g", key: { kind: "Group" }, ...spec });
export const wiring = (spec: object) =>
  resource("Wiring", { channel: "c", conversation: { kind: "Direct" }, group: "g", ...spec });
/** A wiring with this pattern. */
export const pattern = (source: string) => wiring({ engage: { pattern: source } });
export const credential = (spec: object, name = "x") => resource("Credential", spec, { name });
/** A credential of a model API. */
export const upstream = (one: object) => credential({ upstream: { api: "OpenAI", ...one } });
/** A credential of other hosts. */
export const match = (one: object) =>
  credential({
    match: { hosts: ["a.example"], paths: ["/"], methods: ["GET"], ...one },
    inject: { header: "authorization", format: "Bearer {secret}" },
  });
export const inject = (one: object) =>
  credential({ upstream: { api: "OpenAI" }, inject: { header: "authorization", format: "{secret}", ...one } });

/** So many different things. */
export const many = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

declare global {
  interface JSON {
    /** In Node since 21; not yet in TypeScript's library. */
    rawJSON(text: string): unknown;
  }
}

/** A number as it is written, which JSON.stringify would write in its own way. */
export const written = (json: string): unknown => JSON.rawJSON(json);
