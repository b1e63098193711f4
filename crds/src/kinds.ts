import { type AgentGroup, agentGroupDefinition } from "./agent-group.ts";
import { type Channel, channelDefinition } from "./channel.ts";
import { type Credential, credentialDefinition } from "./credential.ts";
import type { Definition } from "./definition.ts";
import { type Session, sessionDefinition } from "./session.ts";
import { type User, userDefinition } from "./user.ts";
import { type Wiring, wiringDefinition } from "./wiring.ts";
import { type Workspace, workspaceDefinition } from "./workspace.ts";

export type Resource = AgentGroup | Session | Channel | Wiring | User | Credential | Workspace;

export const definitions: readonly Definition[] = [
  agentGroupDefinition,
  sessionDefinition,
  channelDefinition,
  wiringDefinition,
  userDefinition,
  credentialDefinition,
  workspaceDefinition,
];

/** Finds a kind by the names that people type: the kind, its plural or its short name, in any case. */
export function findDefinition(name: string): Definition | undefined {
  const wanted = name.toLowerCase();
  return definitions.find(({ kind, plural, shortName }) => [kind.toLowerCase(), plural, shortName].includes(wanted));
}
