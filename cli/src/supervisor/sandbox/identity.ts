import { createHash } from "node:crypto";

/** User and group ids of the system, in decimal. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** Further groups. */
  readonly groups?: readonly number[];
}

interface Member {
  /** Row keys. */
  readonly session: string;
  readonly group: string;
  readonly folders: { readonly team: readonly { readonly name: string }[] };
}

/** First id of sessions and agent groups: systems give ids from here to 2^31 to nobody. */
export const firstId = 0x7000_0000;
/** How many ids there are. Two sessions may meet in one: ids are the second wall, the first is what is mounted. */
const idCount = 2 ** 28;

/** The user of a session and the group of its agent group: the same at each wake, on each machine. */
export const identityOf = ({ session, group, folders }: Member): Required<Identity> => ({
  uid: idOf(`session ${session}`),
  gid: idOf(`group ${group}`),
  groups: folders.team.map(({ name }) => workspaceGroup(name)),
});

/** Of all who share the workspace. */
export const workspaceGroup = (name: string): number => idOf(`workspace ${name}`);

const idOf = (text: string): number => firstId + (createHash("sha256").update(text).digest().readUInt32BE() % idCount);
