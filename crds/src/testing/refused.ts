import { refusedInClusters } from "./cluster.ts";
import {
  channel,
  group,
  mcp,
  named,
  pattern,
  type RefusedDocuments,
  resource,
  server,
  session,
  user,
  wiring,
  written,
} from "./documents.ts";

const noPattern =
  "must be a regular expression of characters, classes, groups, | and repetitions (counted ones of one character, up " +
  "to 16); no look-around, back-references and flags";
const noTimeZone = 'must be an IANA time zone such as "Europe/Berlin"';

const refusedMetadata: RefusedDocuments = {
  "no metadata": [{ ...group(), metadata: undefined }, "metadata.name", /expected string/],
  "no name": [named({}), "metadata.name", /expected string/],
  "an empty name": [named({ name: "" }), "metadata.name", />=1/],
  "a number as a name": [named({ name: 5 }), "metadata.name", /expected string/],
  "a name in capitals": [named({ name: "Helper" }), "metadata.name", /RFC 1123/],
  "a name with a dot": [named({ name: "x.y" }), "metadata.name", /RFC 1123/],
  "a name with an umlaut": [named({ name: "bär" }), "metadata.name", /RFC 1123/],
  "a name that ends with a dash": [named({ name: "x-" }), "metadata.name", /RFC 1123/],
  "a name with a line feed behind it": [named({ name: "x\n" }), "metadata.name", /RFC 1123/],
  "an unknown field of metadata": [named({ name: "x", lables: {} }), "metadata.lables", /unknown field/],
  "a label with a space": [named({ name: "x", labels: { a: "b c" } }), "metadata.labels", /label value/],
  "a label that is too long": [named({ name: "x", labels: { a: "b".repeat(64) } }), "metadata.labels", /label value/],
  "a bad label key": [named({ name: "x", labels: { "a b": "c" } }), "metadata.labels", /label key/],
  "a label key in capitals": [named({ name: "x", labels: { "A.b/c": "d" } }), "metadata.labels", /label key/],
  "a label key with two dots": [named({ name: "x", labels: { "a..b/c": "d" } }), "metadata.labels", /label key/],
  "a label key that is too long": [
    named({ name: "x", labels: { [`${"p".repeat(254)}/n`]: "" } }),
    "metadata.labels",
    /label key/,
  ],
  "a number as a label": [named({ name: "x", labels: { a: 1 } }), "metadata.labels", /expected string/],
  "a bad annotation key": [named({ name: "x", annotations: { "a b": "c" } }), "metadata.annotations", /label key/],
  "annotations that are too long": [
    named({ name: "x", annotations: { a: "é".repeat(131_072) } }),
    "metadata.annotations",
    /262144 bytes/,
  ],
};

const refusedFields: RefusedDocuments = {
  "a field beside the spec": [{ ...group(), sepc: {} }, "sepc", /unknown field/],
  "a misspelt field": [group({ session: { idelAfter: "1m" } }), "spec.session.idelAfter", /unknown field/],
  "an unknown field of nothing": [group({ foo: null }), "spec.foo", /unknown field/],
  "an unknown field in a list": [server({ foo: 1 }), "spec.tools.mcpServers[0].foo", /unknown field/],
  "a field that every object has": [group({ agent: { toString: "x" } }), "spec.agent.toString", /unknown field/],
  "an unknown field of the status": [{ ...group(), status: { ready: true } }, "status.ready", /unknown field/],
  "an unknown field within the status": [
    { ...group(), status: { awake: { now: 1 } } },
    "status.awake.now",
    /unknown field/,
  ],
  "a list as status": [{ ...group(), status: [{ awake: 1 }] }, "status[0].awake", /unknown field/],
  "nothing as status of a kind that has none": [{ ...user({}), status: null }, "status", /unknown field/],
  "a status of a kind that has none": [{ ...user({}), status: {} }, "status", /unknown field/],
  "a spec that is text": [group("x"), "spec", /expected object/],
  "a spec that is a list": [group([]), "spec", /expected object/],
  "a channel without a spec": [resource("Channel"), "spec", /expected object/],
  "a channel with nothing as spec": [resource("Channel", null), "spec", /expected object/],
  "a channel without a type": [channel({}), "spec.type", /expected string/],
  "a channel with nothing as type": [channel({ type: null }), "spec.type", /expected string/],
  "a configuration that is a list": [channel({ type: "t", config: [] }), "spec.config", /expected record/],
  "a configuration that is text": [channel({ type: "t", config: "a" }), "spec.config", /expected record/],
};

const refusedGroups: RefusedDocuments = {
  "instructions with NUL": [group({ instructions: "a\0b" }), "spec.instructions", /control characters/],
  "instructions with DEL": [group({ instructions: "a\x7fb" }), "spec.instructions", /control characters/],
  "instructions with a control character of Latin-1": [
    group({ instructions: "a\x85b" }),
    "spec.instructions",
    /control characters/,
  ],
  "a number as instructions": [group({ instructions: 5 }), "spec.instructions", /expected string/],
  "a model of two lines": [group({ agent: { model: "a\nb" } }), "spec.agent.model", /control characters/],
  "a duration as a number": [group({ session: { idleAfter: 10 } }), "spec.session.idleAfter", /expected string/],
  ...Object.fromEntries(
    ["10", "", "5s1m", "PT5M", "1.5h", "1d", "-1s", "1H", "100000s", " 1s", "1s\n", "١s"].map((idleAfter) => [
      `the duration “${idleAfter}”`,
      [group({ session: { idleAfter } }), "spec.session.idleAfter", /duration/],
    ]),
  ),
  "a duration of nothing": [group({ session: { idleAfter: "0h0s" } }), "spec.session.idleAfter", "must be at least 1s"],
  "half a message": [group({ agent: { maxMessagesPerPrompt: 1.5 } }), "spec.agent.maxMessagesPerPrompt", /int/],
  "a number as text": [group({ session: { maxRunning: "5" } }), "spec.session.maxRunning", /expected number/],
  "yes as a number": [group({ session: { maxRunning: true } }), "spec.session.maxRunning", /expected number/],
  "a number that no computer counts to": [
    session({ wake: { epoch: written("9223372036854775808") } }),
    "spec.wake.epoch",
    /Too big/,
  ],
  "yes as text": [session({ wake: { wanted: "true" } }), "spec.wake.wanted", /expected boolean/],
  ...Object.fromEntries(
    ["Mars/Base", "europe/berlin", "Europe/BERLIN", "Local", "Factory", "PST", "utc", "right/UTC", "posixrules"].map(
      (timeZone) => [`the time zone ${timeZone}`, [group({ timeZone }), "spec.timeZone", noTimeZone]],
    ),
  ),
  "an offset as a zone": [group({ timeZone: "+01:00" }), "spec.timeZone", /IANA/],
  "a zone outside of its folder": [group({ timeZone: "Europe/../UTC" }), "spec.timeZone", /IANA/],
  "an effort that nobody knows": [group({ agent: { effort: "Huge" } }), "spec.agent.effort", /Low/],
  "an effort in small letters": [group({ agent: { effort: "high" } }), "spec.agent.effort", /Low/],
  "two MCP servers of one name": [
    mcp({ name: "a", command: "b" }, { name: "c", command: "b" }, { name: "a", command: "c" }),
    "spec.tools.mcpServers[2]",
    /same name twice/,
  ],
  "an MCP server that takes Copepod's name": [
    mcp({ name: "copepod", command: "x" }),
    "spec.tools.mcpServers[0].name",
    '"copepod" is the server of Copepod\'s own tools',
  ],
  "an MCP server without a command": [mcp({ name: "a" }), "spec.tools.mcpServers[0].command", /expected string/],
  "an MCP server without a name": [mcp({ command: "a" }), "spec.tools.mcpServers[0].name", /expected string/],
  "nothing as MCP server": [mcp(null), "spec.tools.mcpServers[0]", /expected object/],
  "a variable twice": [
    server({ env: [1, 2].map((value) => ({ name: "A", value: `${value}` })) }),
    "spec.tools.mcpServers[0].env[1]",
    /same name twice/,
  ],
  "a variable with a dash": [
    server({ env: [{ name: "A-B", value: "" }] }),
    "spec.tools.mcpServers[0].env[0].name",
    /environment variable/,
  ],
  "a skill outside of its folder": [group({ tools: { skills: ["../x"] } }), "spec.tools.skills[0]", /RFC 1123/],
  "a credential twice": [group({ credentials: ["a", "b", "a"] }), "spec.credentials[2]", /twice/],
  "nothing as a credential": [group({ credentials: ["a", null] }), "spec.credentials[1]", /expected string/],
  "text as a list": [group({ credentials: "a" }), "spec.credentials", /expected array/],
};

const refusedWirings: RefusedDocuments = {
  "an unknown choice": [
    channel({ type: "t", defaults: { unknownSenders: "Ask" } }),
    "spec.defaults.unknownSenders",
    /Strict/,
  ],
  "a conversation by id and kind": [
    wiring({ conversation: { id: "a", kind: "Group" } }),
    "spec.conversation",
    "exactly one of id and kind is required",
  ],
  "a conversation by nothing": [
    wiring({ conversation: { id: null } }),
    "spec.conversation",
    "exactly one of id and kind is required",
  ],
  "no conversation": [wiring({ conversation: undefined }), "spec.conversation", /expected object/],
  "an answer by nobody": [wiring({ group: undefined }), "spec", "group is required for action Answer"],
  ...Object.fromEntries(
    [
      ...["(", "a)", "[b-a]", "a{3,2}", "*", "a**", "^*", "\\b+", "(?", "a(?=b)", "(?<!a)b", "(a)\\1", "(?<n>a)\\k<n>"],
      ...["(?i)a", "(?i:a)", "(?P<n>a)", "\\p{L}", "\\pL", "\\A", "\\z", "\\Qa\\E", "\\x41", "\\u0041", "\\cA", "\\0"],
      ...["[[:alpha:]]", "[]a]", "[]", "[^]", "[a-\\d]", "[\\b]", "[a[b]", "[\ufffd-😀]", "[😀]", "😀+", "\\é"],
      ...["a{17}", "(a){2}", "a{,3}", "a{", "a{1", "}", "]", "a\\", "a{02}"],
    ].map((source) => [`the pattern ${source}`, [pattern(source), "spec.engage.pattern", noPattern]]),
  ),
  "a pattern for mentions": [
    wiring({ engage: { mode: "Mention", pattern: "x" } }),
    "spec.engage",
    "pattern is only for mode Pattern",
  ],
  "a default pattern for mentions": [
    channel({ type: "t", defaults: { engage: { mode: "Mention", pattern: "x" } } }),
    "spec.defaults.engage",
    "pattern is only for mode Pattern",
  ],
};

const refusedOthers: RefusedDocuments = {
  "the same face twice": [user({ identities: ["a:1", "a:1"] }), "spec.identities[1]", /twice/],
  "a face without a channel": [user({ identities: ["ada"] }), "spec.identities[0]", /<channel>:<platform user id>/],
  "a face of nobody": [user({ identities: ["a:"] }), "spec.identities[0]", /<channel>:<platform user id>/],
  "a person without faces": [resource("User", {}), "spec.identities", /expected array/],
  "an owner of one group": [
    user({ roles: [{ role: "Owner", group: "g" }] }),
    "spec.roles[0]",
    "an Owner has no group: the role holds in all",
  ],
  "an unknown role": [user({ roles: [{ role: "King" }] }), "spec.roles[0].role", /Owner/],
  "a role of nothing": [user({ roles: [{}] }), "spec.roles[0].role", /Owner/],
  "a conversation that has no id": [
    session({ key: { kind: "Conversation" } }),
    "spec.key",
    "conversation is required for the kinds Conversation and Thread",
  ],
  "a thread without a thread": [
    session({ key: { kind: "Thread", conversation: "1" } }),
    "spec.key",
    "thread is required for the kind Thread, and for no other",
  ],
  "a session of nothing": [session({ key: undefined }), "spec.key", /expected object/],
};

export const refused: RefusedDocuments = {
  ...refusedMetadata,
  ...refusedFields,
  ...refusedGroups,
  ...refusedWirings,
  ...refusedOthers,
  ...refusedInClusters,
};
