import { statSync } from "node:fs";
import { dirname, join } from "node:path";

const repository = join(import.meta.dirname, "../..");

/**
 * Lets the repository be reached at its own path by everybody, for one command and what it starts: an empty folder takes
 * the place of the one that only its owner may enter. $1 is the repository, $2 that folder, the rest the command.
 */
const reach = [
  'cd / && exec 3<"$1" && mount -t tmpfs -o mode=0755 none "$2" && mkdir -p "$1"',
  'mount --no-canonicalize --bind /proc/self/fd/3 "$1" && exec 3<&- && shift 2 && exec "$@"',
].join(" && ");

/** What runs a command as another user. Only root can; the user finds the repository wherever it lies. */
export function become(uid: number): readonly string[] {
  if (uid === process.getuid?.()) return [];
  const drop = ["setpriv", "--reuid", `${uid}`, "--regid", `${uid}`, "--clear-groups"];
  const closed = closedFolder(repository);
  return closed === undefined ? drop : ["unshare", "--mount", "sh", "-c", reach, "sh", repository, closed, ...drop];
}

/** The topmost folder on the way that only its owner may enter. */
function closedFolder(path: string): string | undefined {
  const above = dirname(path) === path ? undefined : closedFolder(dirname(path));
  return above ?? ((statSync(path).mode & 0o001) === 0 ? path : undefined);
}
