import { keyOf } from "@copepod/core/addresses";
import { agentGroupSchema } from "@copepod/crds/agent-group";
import { channelSchema } from "@copepod/crds/channel";
import { credentialSchema } from "@copepod/crds/credential";
import { userSchema } from "@copepod/crds/user";
import { wiringSchema } from "@copepod/crds/wiring";
import type { z } from "zod";
import type { Resources } from "./resource-store.ts";

/** Test helper: a state of resources from short documents (`kind`, `metadata`, `spec`). */
export function buildResources(documents: readonly object[]): Resources {
  const full = documents.map((document) => ({ apiVersion: "copepod.dev/v1alpha1", ...document }));
  const ofKind = <S extends z.ZodType<{ metadata: { namespace: string; name: string } }>>(kind: string, schema: S) =>
    new Map(
      full
        .filter((document) => "kind" in document && document.kind === kind)
        .map((document) => schema.parse(document))
        .map((resource) => [keyOf(resource.metadata.namespace, resource.metadata.name), resource]),
    );
  return {
    agentGroups: ofKind("AgentGroup", agentGroupSchema),
    channels: ofKind("Channel", channelSchema),
    wirings: ofKind("Wiring", wiringSchema),
    users: ofKind("User", userSchema),
    credentials: ofKind("Credential", credentialSchema),
  };
}
