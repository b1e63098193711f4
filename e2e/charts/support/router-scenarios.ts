import { randomUUID } from "node:crypto";
import { isRecord, type KubeObject, type Resource } from "@copepod/kube/object";
import { agentGroups, credentials, sessions } from "@copepod/operator/resources";
import { sessionNameOf } from "@copepod/router/sessions/session-name";
import { resources } from "./installed.ts";
import { adminOf } from "./rights.ts";
import type { Look, Scenario, Space } from "./space.ts";

const group = "helper";
const wirings: Resource = { ...resources.channels, kind: "Wiring", plural: "wirings" };

interface Wish {
  readonly unknownSenders?: "Public" | "Strict";
  readonly sessionMode?: "Shared" | "AgentShared";
}

async function putResources(
  space: Space,
  { unknownSenders = "Public", sessionMode = "Shared" }: Wish = {},
): Promise<void> {
  await space.put(agentGroups, group, { spec: {} });
  const identities = [`terminal:${adminOf(space.installation.release)}`];
  await space.put(resources.users, "ada", { spec: { identities, roles: [{ role: "Member" }] } });
  await space.put(resources.channels, "terminal", { spec: { type: "terminal", defaults: { unknownSenders } } });
  const spec = { channel: "terminal", conversation: { kind: "Direct" }, group, sessionMode };
  await space.put(wirings, "terminal", { spec });
}

/** Says something. @returns whether that has woken a session */
function say(space: Space): Look {
  const { installation, namespace } = space;
  const message = { namespace, conversation: "main", sender: "ada", text: "Hello!" };
  let session: string | undefined;
  return async () => {
    // Refused while something is not known, and away while the router starts.
    session ??= await installation.admin.say({ ...message, dedupeKey: randomUUID() }).then(
      (said) => said.session,
      () => undefined,
    );
    return session !== undefined && (await space.sees(sessions, session, isWanted)());
  };
}

const isWanted = ({ spec }: KubeObject): boolean => isRecord(spec) && isRecord(spec.wake) && spec.wake.wanted === true;

const onlySession = async (space: Space): Promise<string> => (await space.page(sessions))[0]?.metadata.name ?? "";

const answered = (name: string, wish: Wish = {}): Scenario => ({
  name,
  begin: async (space) => {
    await putResources(space, wish);
    return say(space);
  },
});
const woken = answered("a message wakes a session");

const overwritten: Scenario = {
  name: "a wish that somebody has overwritten is said again",
  begin: async (space) => {
    const look = await woken.begin(space);
    await space.when(look);
    await space.patch(sessions, await onlySession(space), { spec: { wake: { wanted: false } } });
    return look;
  },
};

const kinds = ["agentgroups", "channels", "credentials", "sessions", "users", "wirings"];

/** By right: what works with it, and not without it. */
export const routerScenarios: Readonly<Record<string, Scenario>> = {
  ...Object.fromEntries(kinds.map((kind) => [`list ${kind}`, woken])),
  "watch agentgroups": answered("a new agent group answers"),
  "watch channels": answered("a new channel is heard"),
  "watch wirings": answered("a new wiring counts"),
  "watch users": answered("a person who has become known is answered", { unknownSenders: "Strict" }),
  "watch credentials": {
    name: "a new Credential is shown",
    begin: async (space) => {
      await space.put(credentials, "outside", {
        spec: { upstream: { api: "Anthropic" }, secretRef: { name: "outside" } },
      });
      const {
        installation: { admin },
        namespace,
      } = space;
      return async () => (await admin.listResources({ kind: "Credential", namespace })).items.length > 0;
    },
  },
  "watch sessions": overwritten,
  "create sessions": woken,
  "patch sessions": overwritten,
  "get sessions": {
    name: "a Session that somebody else has made a moment ago is woken",
    // Nothing tells the router of it but its own try to make one.
    without: "watch sessions",
    begin: async (space) => {
      const name = sessionNameOf(space.namespace, group, { kind: "Group", conversation: undefined, thread: undefined });
      await space.wake(group, { name: name.slice(name.indexOf("/") + 1), wanted: false, epoch: 0 });
      return await answered("", { sessionMode: "AgentShared" }).begin(space);
    },
  },
  "patch sessions/status": {
    name: "a Session says how many messages wait",
    begin: async (space) => {
      await space.when(await woken.begin(space));
      const session = await onlySession(space);
      await say(space)();
      return space.sees(sessions, session, ({ status }) => isRecord(status) && Number(status.pending) > 0);
    },
  },
  "create tokenreviews": woken,
};
