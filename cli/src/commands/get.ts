import { splitKey } from "@copepod/core/addresses";
import type { MessageRow, SessionRow } from "@copepod/core/admin-api";
import { CopepodError } from "@copepod/core/errors";
import type { InboundState, OutboundState } from "@copepod/core/messages";
import type { Definition } from "@copepod/crds/definition";
import { definitions, findDefinition } from "@copepod/crds/kinds";
import { stringify } from "yaml";
import { listObjects } from "../cluster/objects.ts";
import { type AdminConnection, type Context, print, tell } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import { renderAge, renderTable, shorten, type TableColumn } from "../output/table.ts";
import { textAt } from "../output/value-at.ts";

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

const kinds = [...definitions.map(({ plural }) => plural), "messages", "dead-letters"];

/** Lists resources, sessions, messages or dead letters; or shows one of them. Without a kind, names the kinds. */
export async function get(context: Context, names: readonly string[], options: GetOptions): Promise<number> {
  const [what, name] = names;
  if (what === undefined) {
    print(context, kinds.join("\n"));
    return exitCodes.ok;
  }
  await show(context, { what, name, options });
  return exitCodes.ok;
}

interface Request {
  readonly what: string;
  readonly name: string | undefined;
  readonly options: GetOptions;
}

async function show(context: Context, request: Request): Promise<void> {
  const { what, options } = request;
  const kind = messageKind(what);
  if (kind) {
    const state = kind === "dead-letters" ? "dead" : options.state;
    showListing(context, request, await withRouter(context, (router) => listMessages(router, state, options)));
    return;
  }
  const definition = findDefinition(what);
  if (!definition) {
    throw new CopepodError("notFound", `there is no kind "${what}"; the kinds are ${kinds.join(", ")}`);
  }
  const { cluster } = context;
  if (cluster)
    showListing(context, request, toListing(definition, await listObjects(cluster, definition, request.name)));
  else if (definition.kind === "Session") {
    showListing(context, request, await withRouter(context, (router) => listSessions(router, options)));
  } else showListing(context, request, await withRouter(context, (router) => listResources(router, definition)));
}

async function withRouter<T>(context: Context, work: (router: AdminConnection) => Promise<T>): Promise<T> {
  const router = await context.connect(context.settings);
  try {
    return await work(router);
  } finally {
    await router.close();
  }
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

/** Conditions are what only an operator writes. */
async function listResources({ admin, namespace }: AdminConnection, definition: Definition): Promise<Listing<object>> {
  const { items } = await admin.listResources({ kind: definition.kind, namespace });
  const columns = definition.columns.filter(({ jsonPath }) => !jsonPath.startsWith(".status.conditions"));
  return toListing({ ...definition, columns }, items);
}

function toListing({ kind, columns }: Definition, rows: readonly object[]): Listing<object> {
  const now = Date.now();
  const nameOf = (row: object) => textAt(row, ".metadata.name") ?? "";
  const created = ".metadata.creationTimestamp";
  const isInCluster = rows.some((row) => textAt(row, created) !== undefined);
  const age = { name: "Age", type: "date", jsonPath: created } as const;
  return {
    noun: kind.toLowerCase(),
    rows,
    nameOf,
    columns: [
      { heading: "Name", cell: nameOf },
      ...[...columns, ...(isInCluster ? [age] : [])].map(({ name, type, jsonPath }) => ({
        heading: name,
        cell: (row: object) => cellOf(textAt(row, jsonPath), type === "date", now),
      })),
    ],
  };
}

const cellOf = (text: string | undefined, isTime: boolean, now: number): string | undefined =>
  isTime && text !== undefined ? renderAge(Date.parse(text), now) : text;

async function listSessions(
  { admin, namespace }: AdminConnection,
  { limit }: GetOptions,
): Promise<Listing<SessionRow>> {
  const { items } = await admin.listSessions({ namespace, limit });
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
  { admin, namespace }: AdminConnection,
  state: MessageState | undefined,
  { session, limit }: GetOptions,
): Promise<Listing<MessageRow>> {
  const { items } = await admin.listMessages({ namespace, session, state, limit });
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
