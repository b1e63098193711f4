import { StringDecoder } from "node:string_decoder";
import { labels } from "@copepod/core/cluster";
import { CopepodError } from "@copepod/core/errors";
import type { KubeObject } from "@copepod/kube/object";
import { printable } from "../chat/render.ts";
import { nameOf, pods } from "../cluster/kinds.ts";
import type { Cluster } from "../cluster/open-cluster.ts";
import { podsOf } from "../cluster/program-pods.ts";
import { type Context, print, tell } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import { textAt, valueAt } from "../output/value-at.ts";
import { requireCluster } from "./require-target.ts";
import { untilSignal } from "./signals.ts";

export interface LogsOptions {
  readonly follow?: true;
  /** Lines of each container. */
  readonly tail: number;
}

interface Source {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

/** Logs of all containers of the pods, each line with the name of its container. What can't be read is told. */
export async function logs(context: Context, what: string, options: LogsOptions): Promise<number> {
  const cluster = requireCluster(context, "`copepod logs`");
  const sources = (await podsFor(cluster, what)).flatMap(sourcesOf);
  return await untilSignal(context, async (interrupted) => {
    const ends = await Promise.allSettled(
      sources.map(async (source) => await printLog(context, { cluster, source, options, interrupted })),
    );
    if (interrupted.aborted) return exitCodes.interrupted;
    const failures = ends.filter((end) => end.status === "rejected").map(({ reason }) => reason);
    for (const failure of failures) {
      if (!(failure instanceof CopepodError)) throw failure;
      tell(context, failure.message);
    }
    return failures.length === ends.length ? exitCodes.failure : exitCodes.ok;
  });
}

async function podsFor({ client, namespace, systemNamespace }: Cluster, what: string): Promise<readonly KubeObject[]> {
  const isProgram = what === "router" || what === "operator";
  const found = isProgram
    ? await podsOf(client, systemNamespace, what)
    : (await client.page(pods, { namespace, labelSelector: `${labels.session}=${what}` })).items;
  if (found.length > 0) return found;
  const cure = isProgram ? "see `copepod doctor`" : `see why: \`copepod debug session ${what}\``;
  throw new CopepodError(
    "notFound",
    `${what} has no pod in the namespace "${isProgram ? systemNamespace : namespace}"; ${cure}`,
  );
}

function sourcesOf(pod: KubeObject): Source[] {
  const containers = valueAt(pod, ".spec.containers");
  const names = Array.isArray(containers) ? containers.map((one) => textAt(one, ".name") ?? "") : [];
  return names.map((container) => ({ namespace: pod.metadata.namespace ?? "", pod: nameOf(pod), container }));
}

interface Printing {
  readonly cluster: Cluster;
  readonly source: Source;
  readonly options: LogsOptions;
  readonly interrupted: AbortSignal;
}

async function printLog(context: Context, { cluster, source, options, interrupted }: Printing): Promise<void> {
  const { namespace, pod, container } = source;
  const query = new URLSearchParams({
    container,
    tailLines: String(options.tail),
    follow: String(options.follow === true),
  });
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/log?${query}`;
  const bytes = cluster.streams.read(`get pods/log ${namespace}/${pod} ${container}`, path, interrupted);
  for await (const line of linesOf(bytes)) print(context, `${pod} ${container}: ${printable(line)}`);
}

/** Without the empty ones. */
async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new StringDecoder("utf8");
  let begun = "";
  for await (const chunk of bytes) {
    const lines = (begun + decoder.write(Buffer.from(chunk))).split("\n");
    begun = lines.pop() ?? "";
    yield* lines.filter((line) => line !== "");
  }
  if (begun !== "") yield begun;
}
