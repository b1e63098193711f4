import { splitKey } from "@copepod/core/addresses";
import type { AdminClient, MessageRow, ResourceView, SessionRow } from "@copepod/core/admin-api";
import { CopepodError } from "@copepod/core/errors";
import type { InboundState, OutboundState } from "@copepod/core/messages";
import type { Definition } from "@copepod/crds/definition";
import { findDefinition } from "@copepod/crds/kinds";
import { stringify } from "yaml";
import { type Context, print, tell } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import { renderAge, renderTable, shorten, type TableColumn } from "../output/table.ts";

type MessageState = InboundState | OutboundState;

export interface GetOptions {
  readonly output: "table" | "wide" | "name" | "json" | "yaml";
  readonly session?: string;
  readonly state?: MessageState;
  readonly limit: number;
}

/** What is listed, and how each item is called and shown. */
interface Listing<Row> {
  /** Before the slash in `-o name`. */
  readonly noun: string;
  readonly rows: readonly Row[];
  readonly columns: readonly TableColumn<Row>[];
  nameOf(row: Row): string;
}

const kinds = ["agentgroups", "channels", "wirings", "users", "credentials", "sessions", "messages", "dead-letters"];

/** Lists resources, sessions, messages or dead letters; or shows one of them. Without a kind, names the kinds. */
export async function get(context: Context, names: readonly string[], options: GetOptions): Promise<number> {
  const [what, name] = names;
  if (what === undefined) {
    print(context, kinds.join("\n"));
    return exitCodes.ok;
  }
  const { admin, close } = await context.connect(context.settings);
  try {
    await show(context, { admin, what, name, options });
    return exitCodes.ok;
  } finally {
    await close();
  }
}

interface Request {
  readonly admin: AdminClient;
  readonly what: string;
  readonly name: string | undefined;
  readonly options: GetOptions;
}

async function show(context: Context, request: Request): Promise<void> {
  const { admin, what, options } = request;
  const kind = messageKind(what);
  if (kind) {
    showListing(context, request, await listMessages(admin, kind === "dead-letters" ? "dead" : options.state, options));
    return;
  }
  const definition = findDefinition(what);
  if (!definition) {
    throw new CopepodError("notFound", `there is no kind "${what}"; the kinds are ${kinds.join(", ")}`);
  }
  if (definition.kind === "Session") showListing(context, request, await listSessions(admin, options));
  else showListing(context, request, await listResources(admin, definition));
}

const messageNames = {
  messages: ["message", "messages", "msg"],
  "dead-letters": ["dead-letter", "dead-letters", "deadletter", "deadletters", "dead"],
};

function messageKind(what: string): keyof typeof messageNames | undefined {
  if (messageNames.messages.includes(what)) return "messages";
  return messageNames["dead-letters"].includes(what) ? "dead-letters" : undefined;
}

function showListing<Row>(context: Context, { what, name, options }: Request, listing: Listing<Row>): void {
  const rows = name === undefined ? listing.rows : listing.rows.filter((row) => listing.nameOf(row) === name);
  if (name !== undefined && rows.length === 0) throw new CopepodError("notFound", `${what} "${name}" does not exist`);
  const data = name === undefined ? { items: rows } : rows[0];
  switch (options.output) {
    case "json":
      print(context, JSON.stringify(data, null, 2));
      return;
    case "yaml":
      print(context, stringify(data).trimEnd());
      return;
    case "name":
      for (const row of rows) print(context, `${listing.noun}/${listing.nameOf(row)}`);
      return;
    case "table":
    case "wide":
      if (rows.length === 0) tell(context, `No ${what} found.`);
      else print(context, renderTable(listing.columns, rows, options.output === "wide"));
  }
}

async function listResources(admin: AdminClient, { kind, columns }: Definition): Promise<Listing<ResourceView>> {
  const { items } = await admin.listResources({ kind });
  return {
    noun: kind.toLowerCase(),
    rows: items,
    nameOf: ({ metadata }) => metadata.name,
    columns: [
      { heading: "Name", cell: ({ metadata }) => metadata.name },
      ...columns.map(({ name, jsonPath }) => ({ heading: name, cell: (row: ResourceView) => valueAt(row, jsonPath) })),
    ],
  };
}

/** @param jsonPath such as `.spec.agent.provider`. */
function valueAt(row: unknown, jsonPath: string): string | undefined {
  let value = row;
  for (const key of jsonPath.split(".").slice(1)) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Reflect.get(value, key);
  }
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value)) return value.join(",");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

async function listSessions(admin: AdminClient, { limit }: GetOptions): Promise<Listing<SessionRow>> {
  const { items } = await admin.listSessions({ limit });
  const now = Date.now();
  return {
    noun: "session",
    rows: items,
    nameOf: ({ name }) => name,
    columns: [
      { heading: "Name", cell: ({ name }) => name },
      { heading: "Group", cell: ({ group }) => group },
      { heading: "Phase", cell: ({ phase }) => phase },
      { heading: "Pending", cell: ({ pending }) => pending },
      { heading: "Oldest", cell: ({ oldestPendingAt }) => renderAge(oldestPendingAt, now) },
      { heading: "Last-active", cell: ({ lastActiveAt }) => renderAge(lastActiveAt, now) },
      { heading: "Reason", cell: ({ reason }) => reason },
      { heading: "Epoch", cell: ({ epoch }) => epoch, wide: true },
      { heading: "Pod", cell: ({ podUid }) => podUid, wide: true },
      { heading: "Conversation", cell: ({ conversation }) => conversation, wide: true },
    ],
  };
}

/** Longest beginning of a message's text in a table. */
const maxTextShown = 40;

async function listMessages(
  admin: AdminClient,
  state: MessageState | undefined,
  { session, limit }: GetOptions,
): Promise<Listing<MessageRow>> {
  const { items } = await admin.listMessages({ session, state, limit });
  const now = Date.now();
  return {
    noun: "message",
    rows: items,
    nameOf: ({ id }) => id,
    columns: [
      { heading: "Id", cell: ({ id }) => id },
      { heading: "Dir", cell: ({ direction }) => direction },
      { heading: "Session", cell: (row) => splitKey(row.session).name },
      { heading: "Seq", cell: ({ seq }) => seq },
      { heading: "Kind", cell: ({ kind }) => kind },
      { heading: "State", cell: (row) => row.state },
      { heading: "Attempt", cell: ({ attempt }) => attempt },
      { heading: "Age", cell: ({ createdAt }) => renderAge(createdAt, now) },
      { heading: "Code", cell: ({ code }) => code },
      { heading: "Text", cell: ({ text }) => shorten(text, maxTextShown) },
      { heading: "Reason", cell: ({ reason }) => reason, wide: true },
      { heading: "Conversation", cell: ({ conversation }) => conversation, wide: true },
    ],
  };
}
