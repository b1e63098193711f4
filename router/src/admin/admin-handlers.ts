import { defaultNamespace, keyOf, splitKey } from "@copepod/core/addresses";
import type { adminApi, ResourceView, SessionRow } from "@copepod/core/admin-api";
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
import { createTerminalHandlers, type TerminalDeps } from "./terminal.ts";
import { sumUsage } from "./usage.ts";

export interface AdminDeps extends TerminalDeps {
  readonly store: QueueStore;
  readonly resources: ResourceStore;
  readonly health: ChannelHealthBook;
  readonly wishes: WishWriter;
  readonly announcer: Announcer;
  readonly version: string;
  /** What keeps the router from being ready; empty = ready. */
  readonly notReady: () => readonly string[];
}

type AdminHandlers = Handlers<typeof adminApi, CallContext<string>>;

/** More sessions than this are not counted for a status. */
const maxSessionsCounted = 500;

/** What the CLI uses. The caller is a name for the audit. */
export function createAdminHandlers(deps: AdminDeps): AdminHandlers {
  const { store, resources } = deps;
  return {
    ...createTerminalHandlers(deps),
    status: async () => {
      const reasons = [...deps.notReady()];
      return {
        version: deps.version,
        ready: reasons.length === 0,
        reasons,
        problems: [...resources.problems(), ...credentialProblems(resources.current())],
        channels: [...resources.current().channels].map(([key, { spec }]) => ({
          channel: splitKey(key).name,
          ...(isServedByRouter(spec.type) ? { state: "ready" } : deps.health.of(key)),
        })),
      };
    },
    listResources: async ({ kind, namespace }) => ({ items: await listResources(deps, kind, namespace) }),
    applyResource: async ({ resource }, { caller }) => {
      const applied = await resources.apply(resource);
      if (applied.result !== "unchanged") {
        const subject = `${applied.kind}/${applied.name}`;
        await store.audit({ actor: caller, action: "apply", subject, detail: applied.result });
      }
      return applied;
    },
    listSessions: async ({ namespace, limit }) => {
      const rows = await store.listSessions(namespace, limit);
      return { items: await Promise.all(rows.map((row) => withTerminal(deps, row))) };
    },
    listMessages: async ({ session, state, kind, limit }) => {
      const key = session === undefined || session.includes("/") ? session : keyOf(defaultNamespace, session);
      const query: ListMessages = { session: key, state, kind, limit };
      return { items: [...(await store.listMessages(query))] };
    },
    retry: async ({ id }, { caller }) => {
      const { item, wake, ...written } = await store.retry(id);
      deps.announcer.written(written);
      deps.announcer.sessionChanged(item.session);
      deps.wishes.poke(item.session);
      if (wake.kind === "woken" && wake.evicted !== undefined) deps.wishes.poke(wake.evicted);
      await store.audit({ actor: caller, action: "retry", subject: id, detail: item.session });
      return { item };
    },
    usage: async (query) => ({ items: await sumUsage(deps, query) }),
    backup: async ({ path }, { caller }) => {
      const { bytes } = await store.backup(path);
      await store.audit({ actor: caller, action: "backup", subject: path, detail: String(bytes) });
      return { path, bytes };
    },
  };
}

/** Only the router knows which conversations are terminals, and how people call them. */
async function withTerminal({ store, resources }: AdminDeps, row: SessionRow): Promise<SessionRow> {
  const conversation = row.conversation === undefined ? undefined : await store.conversation(row.conversation);
  if (!conversation) return row;
  const channel = resources.current().channels.get(keyOf(conversation.namespace, conversation.channel));
  return channel?.spec.type === "terminal" ? { ...row, terminal: conversation.address } : row;
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
