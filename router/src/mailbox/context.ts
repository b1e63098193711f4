import { createHash } from "node:crypto";
import { keyOf, splitKey } from "@copepod/core/addresses";
import type { AgentSettings } from "@copepod/core/agent";
import { CopepodError } from "@copepod/core/errors";
import type { SessionContext } from "@copepod/core/mailbox-api";
import type { AgentGroup } from "@copepod/crds/agent-group";
import type { QueueStore } from "../queue/queue-store.ts";
import type { ResourceStore } from "../resources/resource-store.ts";
import { composeInstructions } from "./instructions.ts";

const versionLength = 16;
/** Contexts in memory, of up to 64 Ki characters each; those that were not asked for the longest are made anew. */
const maxKept = 500;

interface Entry {
  readonly agentGroup: AgentGroup;
  readonly context: SessionContext;
}

/** What a session is told about itself. Kept for those that ask, and made anew when their group or address book changes. */
export class Contexts {
  readonly #store: Pick<QueueStore, "wish" | "destinations">;
  readonly #resources: Pick<ResourceStore, "current">;
  readonly #entries = new Map<string, Entry>();

  constructor(store: Pick<QueueStore, "wish" | "destinations">, resources: Pick<ResourceStore, "current">) {
    this.#store = store;
    this.#resources = resources;
  }

  async of(session: string): Promise<SessionContext> {
    const entry = this.#entries.get(session);
    const group = entry ? keyOf(splitKey(session).namespace, entry.context.group) : await this.#groupOf(session);
    const agentGroup = this.#resources.current().agentGroups.get(group);
    if (!agentGroup) throw new CopepodError("groupMissing", `the agent group “${splitKey(group).name}” does not exist`);
    if (entry?.agentGroup === agentGroup) return this.#keep(session, entry);
    const context = compose(session, agentGroup, await this.#store.destinations(session));
    return this.#keep(session, { agentGroup, context });
  }

  #keep(session: string, entry: Entry): SessionContext {
    this.#entries.delete(session);
    this.#entries.set(session, entry);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > maxKept && oldest !== undefined) this.#entries.delete(oldest);
    return entry.context;
  }

  /** Rows from a conversation that is not in the address book as it was told: it has grown. */
  sawDestinations(session: string, names: readonly string[]): void {
    const known = this.#entries.get(session)?.context.destinations.map(({ name }) => name);
    if (known && names.some((name) => !known.includes(name))) this.#entries.delete(session);
  }

  forget(session: string): void {
    this.#entries.delete(session);
  }

  async #groupOf(session: string): Promise<string> {
    const wish = await this.#store.wish(session);
    if (wish) return wish.group;
    throw new CopepodError("notFound", "the session does not exist");
  }
}

type Variables = AgentGroup["spec"]["agent"]["env"];

const toRecord = (variables: Variables): Record<string, string> =>
  Object.fromEntries(variables.map(({ name, value }) => [name, value]));

function agentOf({ agent: { model, effort, env }, tools }: AgentGroup["spec"]): AgentSettings {
  return {
    ...(env.length === 0 ? {} : { env: toRecord(env) }),
    ...(model === undefined ? {} : { model }),
    ...(effort === undefined ? {} : { effort }),
    mcpServers: tools.mcpServers.map(({ env, ...server }) => ({
      ...server,
      env: toRecord(env),
    })),
    skills: tools.skills,
  };
}

function compose(
  session: string,
  { metadata, spec }: AgentGroup,
  addressBook: readonly SessionContext["destinations"][number][],
) {
  const destinations = addressBook.map(({ name, displayName }) => ({ name, displayName }));
  const context = {
    session,
    group: metadata.name,
    provider: spec.agent.provider,
    agent: agentOf(spec),
    maxMessagesPerPrompt: spec.agent.maxMessagesPerPrompt,
    timeZone: spec.timeZone,
    instructions: composeInstructions({ group: metadata.name, text: spec.instructions, destinations }),
    destinations,
  };
  const version = createHash("sha256").update(JSON.stringify(context)).digest("hex").slice(0, versionLength);
  return { version, ...context };
}
