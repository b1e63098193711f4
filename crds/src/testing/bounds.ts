import {
  channel,
  credential,
  group,
  inject,
  many,
  match,
  mcp,
  named,
  pattern,
  server,
  session,
  upstream,
  user,
  wiring,
} from "./documents.ts";

/** A number, a length or a count: what is within is accepted, one more or one less is not. */
interface Bound {
  readonly what: string;
  readonly path: string;
  /** Undefined: the least is nothing. */
  readonly from?: number;
  readonly to: number;
  readonly make: (amount: number) => unknown;
}

const x = (length: number): string => "x".repeat(length);
/** One character for people and for the API server, two units for JavaScript. */
const smiles = (length: number): string => "😀".repeat(length);
const names = (count: number): string[] => many(count, (index) => `n${index}`);

const texts: readonly Bound[] = [
  { what: "characters of a name", path: "metadata.name", to: 63, make: (n) => named({ name: x(n) }) },
  {
    what: "characters of instructions",
    path: "spec.instructions",
    to: 65_536,
    make: (n) => group({ instructions: smiles(n) }),
  },
  {
    what: "characters of a provider",
    path: "spec.agent.provider",
    from: 1,
    to: 63,
    make: (n) => group({ agent: { provider: x(n) } }),
  },
  {
    what: "characters of a model",
    path: "spec.agent.model",
    from: 1,
    to: 200,
    make: (n) => group({ agent: { model: smiles(n) } }),
  },
  {
    what: "characters of a command",
    path: "spec.tools.mcpServers[0].command",
    from: 1,
    to: 512,
    make: (n) => server({ command: x(n) }),
  },
  {
    what: "characters of an argument",
    path: "spec.tools.mcpServers[0].args[0]",
    to: 4_096,
    make: (n) => server({ args: [smiles(n)] }),
  },
  {
    what: "characters of a variable's name",
    path: "spec.tools.mcpServers[0].env[0].name",
    to: 100,
    make: (n) => server({ env: [{ name: x(n), value: "" }] }),
  },
  {
    what: "characters of a variable's value",
    path: "spec.tools.mcpServers[0].env[0].value",
    to: 4_096,
    make: (n) => server({ env: [{ name: "A", value: x(n) }] }),
  },
  { what: "characters of a pattern", path: "spec.engage.pattern", from: 1, to: 256, make: (n) => pattern(smiles(n)) },
  {
    what: "characters of a conversation's id",
    path: "spec.conversation.id",
    from: 1,
    to: 512,
    make: (n) => wiring({ conversation: { id: smiles(n) } }),
  },
  {
    what: "characters of a face",
    path: "spec.identities[0]",
    to: 576,
    make: (n) => user({ identities: [`a:${smiles(n - 2)}`] }),
  },
  {
    what: "characters of a display name",
    path: "spec.displayName",
    from: 1,
    to: 200,
    make: (n) => user({ displayName: smiles(n) }),
  },
  {
    what: "characters of a thread",
    path: "spec.key.thread",
    from: 1,
    to: 512,
    make: (n) => session({ key: { kind: "Thread", conversation: "c", thread: x(n) } }),
  },
  {
    what: "characters of a path",
    path: "spec.match.paths[0]",
    to: 256,
    make: (n) => match({ paths: [`/${x(n - 1)}`] }),
  },
  {
    what: "characters of a method",
    path: "spec.match.methods[0]",
    to: 20,
    make: (n) => match({ methods: ["X".repeat(n)] }),
  },
  { what: "characters of a header", path: "spec.inject.header", to: 100, make: (n) => inject({ header: x(n) }) },
  {
    what: "characters of a format",
    path: "spec.inject.format",
    to: 200,
    make: (n) => inject({ format: `{secret}${x(n - 8)}` }),
  },
  {
    what: "characters of a key's name",
    path: "spec.secretRef.key",
    to: 253,
    make: (n) => credential({ upstream: { api: "OpenAI" }, secretRef: { name: "a", key: x(n) } }),
  },
  {
    what: "characters of a base URL",
    path: "spec.upstream.baseUrl",
    to: 256,
    make: (n) => upstream({ baseUrl: `https://a.example/${x(n - 18)}` }),
  },
];

const counts: readonly Bound[] = [
  {
    what: "MCP servers",
    path: "spec.tools.mcpServers",
    to: 20,
    make: (n) => mcp(...names(n).map((name) => ({ name, command: "b" }))),
  },
  { what: "arguments", path: "spec.tools.mcpServers[0].args", to: 100, make: (n) => server({ args: names(n) }) },
  {
    what: "variables",
    path: "spec.tools.mcpServers[0].env",
    to: 100,
    make: (n) => server({ env: names(n).map((name) => ({ name, value: "" })) }),
  },
  { what: "skills", path: "spec.tools.skills", to: 100, make: (n) => group({ tools: { skills: names(n) } }) },
  { what: "credentials of a group", path: "spec.credentials", to: 20, make: (n) => group({ credentials: names(n) }) },
  {
    what: "faces",
    path: "spec.identities",
    from: 1,
    to: 100,
    make: (n) => user({ identities: names(n).map((name) => `a:${name}`) }),
  },
  {
    what: "roles",
    path: "spec.roles",
    to: 100,
    make: (n) => user({ roles: names(n).map((name) => ({ role: "Admin", group: name })) }),
  },
  { what: "hosts", path: "spec.match.hosts", from: 1, to: 50, make: (n) => match({ hosts: names(n) }) },
  {
    what: "paths",
    path: "spec.match.paths",
    from: 1,
    to: 50,
    make: (n) => match({ paths: names(n).map((name) => `/${name}`) }),
  },
  {
    what: "methods",
    path: "spec.match.methods",
    from: 1,
    to: 20,
    make: (n) => match({ methods: many(n, (index) => `X${String.fromCharCode(65 + index)}`) }),
  },
];

const numbers: readonly Bound[] = [
  {
    what: "messages of a prompt",
    path: "spec.agent.maxMessagesPerPrompt",
    from: 1,
    to: 100,
    make: (n) => group({ agent: { maxMessagesPerPrompt: n } }),
  },
  {
    what: "running sessions",
    path: "spec.session.maxRunning",
    from: 1,
    to: 1_000,
    make: (n) => group({ session: { maxRunning: n } }),
  },
  {
    what: "messages of a sender",
    path: "spec.senderRatePerMinute",
    from: 1,
    to: 1_000_000,
    make: (n) => channel({ type: "t", senderRatePerMinute: n }),
  },
  { what: "priority", path: "spec.priority", from: 0, to: 1_000, make: (n) => wiring({ priority: n }) },
  {
    what: "revision",
    path: "spec.revision",
    from: 0,
    to: 2_147_483_647,
    make: (n) => credential({ upstream: { api: "OpenAI" }, revision: n }),
  },
  {
    what: "epoch",
    path: "spec.wake.epoch",
    from: 0,
    to: Number.MAX_SAFE_INTEGER,
    make: (n) => session({ wake: { epoch: n } }),
  },
];

export const bounds: readonly Bound[] = [...texts, ...counts, ...numbers];
