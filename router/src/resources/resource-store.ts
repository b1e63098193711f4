import type { Problem } from "@copepod/core/admin-api";
import type { AgentGroup } from "@copepod/crds/agent-group";
import type { Channel } from "@copepod/crds/channel";
import type { Credential } from "@copepod/crds/credential";
import type { User } from "@copepod/crds/user";
import type { Wiring } from "@copepod/crds/wiring";

/** One consistent state of what people decided. Maps by row key `<namespace>/<name>`. */
export interface Resources {
  readonly agentGroups: ReadonlyMap<string, AgentGroup>;
  readonly channels: ReadonlyMap<string, Channel>;
  readonly wirings: ReadonlyMap<string, Wiring>;
  readonly users: ReadonlyMap<string, User>;
  readonly credentials: ReadonlyMap<string, Credential>;
}

export interface Applied {
  readonly result: "created" | "configured" | "unchanged";
  readonly kind: string;
  readonly name: string;
}

/** Where resources live: YAML files here, the API server in a cluster. */
export interface ResourceStore extends AsyncDisposable {
  /** The present state; the same object until something changes. */
  current(): Resources;
  /** What keeps a file (or object) from being used; its last good state stays in force. */
  problems(): readonly Problem[];
  /** Called after each change of `current()` or `problems()`. @returns how to stop that. */
  onChange(listener: () => void): () => void;
  /** Writes one resource. @throws CopepodError `invalid` and changes nothing; `forbidden` in a cluster */
  apply(resource: unknown): Promise<Applied>;
}
