import { keyOf, splitKey } from "@copepod/core/addresses";
import type { adminApi, Problem, ResourceView, SessionRow } from "@copepod/core/admin-api";
import type { Handlers } from "@copepod/core/endpoint";
import { CopepodError } from "@copepod/core/errors";
import type { ChannelHealthBook } from "../channel/channel-health.ts";
import type { Announcer } from "../http/announcer.ts";
import type { CallContext } from "../http/listener.ts";
import { isServedByRouter } from "../inbound/inbound.ts";
import type { ListMessages, QueueStore } from "../queue/queue-store.ts";
import type { ResourceStore } from "../resources/resource-store.ts";
import { credentialProblems } from "../sessions/proxy-rules.ts";
import type { WishWriter } from "../sessions/wish-writer.ts";
import { nameFor, prefixOf } from "./own.ts";
import { nameOf, type Person } from "./person.ts";
import { Rights } from "./rights.ts";
import { createTerminalHandlers, type TerminalDeps } from "./terminal.ts";
import { sumUsage } from "./usage.ts";

export interface AdminDeps extends Omit<TerminalDeps, "rights"> {
  readonly store: QueueStore;
  readonly resources: ResourceStore;
  readonly health: ChannelHealthBook;
  readonly wishes: Pick<WishWriter, "poke">;
  readonly announcer: Announcer;
  /** Namespaces that the router follows; undefined = all that resources name. */
  readonly namespaces: readonly string[] | undefined;
  readonly version: string;
  /** What keeps the router from being ready; empty = ready. */
  readonly notReady: () => readonly string[];
}

type AdminHandlers = Handlers<typeof adminApi, CallContext<Person>>;

/** More sessions than this are not counted for a status. */
const maxSessionsCounted = 500;

/** What the CLI uses. */
export function createAdminHandlers(deps: AdminDeps): AdminHandlers {
  const { store, resources } = deps;
  const rights = new Rights(deps);
  const seen = { ...deps, rights };
  return {
    ...createTerminalHandlers(seen),
    status: async ({ namespace }, { caller }) => {
      const reasons = [...deps.notReady()];
      return { version: deps.version, ready: reasons.length === 0, reasons, ...detailsFor(seen, caller, namespace) };
    },
    listResources: async ({ kind, namespace }, { caller }) => {
      rights.requireAdmin(caller, namespace);
      return { items: await listResources(deps, kind, namespace) };
    },
    applyResource: async ({ resource }, { caller }) => {
      rights.requireAllRights(caller);
      const applied = await resources.apply(resource);
      if (applied.result !== "unchanged") {
        const subject = `${applied.kind}/${applied.name}`;
        await store.audit({ actor: nameOf(caller), action: "apply", subject, detail: applied.result });
      }
      return applied;
    },
    listSessions: async ({ namespace, limit }, { caller }) => ({
      items: await listSessions(seen, caller, { namespace, limit }),
    }),
    listMessages: async (input, { caller }) => ({ items: await listMessages(seen, caller, input) }),
    retry: async ({ namespace, id }, { caller }) => {
      rights.requireAdmin(caller, namespace);
      const { item, wake, ...written } = await store.retry(id, namespace);
      deps.announcer.written(written);
      deps.announcer.sessionChanged(item.session);
      deps.wishes.poke(item.session);
      if (wake.kind === "woken" && wake.evicted !== undefined) deps.wishes.poke(wake.evicted);
      await store.audit({ actor: nameOf(caller), action: "retry", subject: id, detail: item.session });
      return { item };
    },
    usage: async (query, { caller }) => {
      rights.requireAdmin(caller, query.namespace);
      return { items: await sumUsage(deps, query) };
    },
    backup: async ({ path }, { caller }) => {
      rights.requireAllRights(caller);
      const { bytes } = await store.backup(path);
      await store.audit({ actor: nameOf(caller), action: "backup", subject: path, detail: String(bytes) });
      return { path, bytes };
    },
  };
}

type Seen = AdminDeps & { readonly rights: Rights };

/** Who may do everything sees the problems and channels of all namespaces, an admin those of theirs, others none. */
function detailsFor({ resources, health, rights }: Seen, person: Person, namespace: string) {
  const isShown = (of: string | undefined): boolean =>
    rights.hasAllRights(person) || (of === namespace && rights.mayAdminister(person, namespace));
  const problems: Problem[] = [...resources.problems(), ...credentialProblems(resources.current())];
  const channels = [...resources.current().channels].map(([key, { spec }]) => ({ ...splitKey(key), key, spec }));
  return {
    problems: problems.filter((problem) => isShown(problem.namespace)),
    channels: channels
      .filter((channel) => isShown(channel.namespace))
      .map(({ name, key, spec }) => ({
        channel: name,
        ...(isServedByRouter(spec.type) ? { state: "ready" } : health.of(key)),
      })),
  };
}

async function listSessions(seen: Seen, person: Person, { namespace, limit }: { namespace: string; limit: number }) {
  const { store, rights } = seen;
  rights.requireFollowed(namespace);
  const own = rights.mayAdminister(person, namespace) ? undefined : prefixOf(person);
  const rows = await store.listSessions(namespace, limit, own);
  return await Promise.all(rows.map((row) => withTerminal(seen, person, row)));
}

async function listMessages(
  { store, rights }: Seen,
  person: Person,
  input: Parameters<AdminHandlers["listMessages"]>[0],
) {
  const { session = "", state, kind, limit } = input;
  const key = session === "" || session.includes("/") ? session : keyOf(input.namespace, session);
  const namespace = key === "" ? input.namespace : splitKey(key).namespace;
  const mayAll = rights.mayAdminister(person, namespace);
  if (key === "" || mayAll) rights.requireAdmin(person, namespace);
  const addressPrefix = mayAll ? undefined : prefixOf(person);
  const query: ListMessages = { namespace, session: key === "" ? undefined : key, addressPrefix, state, kind, limit };
  return [...(await store.listMessages(query))];
}

/** Only the router knows which conversations are terminals, and how people call them. */
async function withTerminal({ store }: AdminDeps, person: Person, row: SessionRow): Promise<SessionRow> {
  const conversation = row.conversation === undefined ? undefined : await store.conversation(row.conversation);
  const terminal = conversation && nameFor(person, conversation);
  return terminal === undefined ? row : { ...row, terminal };
}

async function listResources(deps: AdminDeps, kind: string, namespace: string): Promise<ResourceView[]> {
  const { agentGroups, channels, wirings, users, credentials } = deps.resources.current();
  const inNamespace = <T extends { metadata: { namespace: string } }>(map: ReadonlyMap<string, T>) =>
    [...map.values()].filter(({ metadata }) => metadata.namespace === namespace);
  switch (kind) {
    case "AgentGroup": {
      const sessions = await deps.store.listSessions(namespace, maxSessionsCounted);
      return inNamespace(agentGroups).map((group) => ({ ...group, status: countsOf(group.metadata.name, sessions) }));
    }
    case "Channel":
      return inNamespace(channels).map((channel) => ({
        ...channel,
        status: isServedByRouter(channel.spec.type)
          ? { state: "ready" }
          : { ...deps.health.of(keyOf(namespace, channel.metadata.name)) },
      }));
    case "Wiring":
      return inNamespace(wirings);
    case "User":
      return inNamespace(users);
    case "Credential":
      return inNamespace(credentials);
    default:
      throw new CopepodError("notFound", `the kind “${kind}” does not exist`);
  }
}

function countsOf(group: string, sessions: readonly SessionRow[]) {
  const own = sessions.filter((session) => session.group === group);
  return {
    sessions: own.length,
    awake: own.filter(({ phase }) => phase !== "Asleep" && phase !== "Failed").length,
    waiting: own.filter(({ phase, pending }) => phase === "Asleep" && pending > 0).length,
  };
}
