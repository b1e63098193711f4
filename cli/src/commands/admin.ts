import { resolve } from "node:path";
import { type AdminConnection, type Context, print } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import { saveCopy } from "../files/save-copy.ts";
import { untilSignal } from "./signals.ts";

interface Options {
  readonly output?: "json";
}

/** What a command did: a sentence for people, data for programs. */
interface Result {
  readonly sentence: string;
  readonly data: object;
}

/** Makes a dead letter pending again. */
export function retry(context: Context, id: string, options: Options): Promise<number> {
  return withAdmin(context, options, async ({ admin, namespace }) => {
    const { item } = await admin.retry({ namespace, id });
    return { sentence: `message/${item.id} ${item.state}`, data: item };
  });
}

/** Copies the queue database. @param path relative to where the person is */
export function backup(context: Context, path: string, options: Options): Promise<number> {
  const target = resolve(path);
  return withAdmin(context, options, async ({ admin, copyQueue }) => {
    const written = context.cluster
      ? await untilSignal(context, async (signal) => await saveCopy(await copyQueue(signal), target))
      : await admin.backup({ path: target });
    return { sentence: `${written.path} (${written.bytes} bytes)`, data: written };
  });
}

/** Stops the turn that runs for a terminal conversation. */
export function stop(context: Context, conversation: string, options: Options): Promise<number> {
  return withAdmin(context, options, async ({ admin, namespace }) => {
    const { stopping } = await admin.stop({ namespace, conversation, sender: context.userName });
    return { sentence: stopping ? "The turn is being stopped." : "No turn is running.", data: { stopping } };
  });
}

async function withAdmin(
  context: Context,
  { output }: Options,
  work: (connection: AdminConnection) => Promise<Result>,
): Promise<number> {
  const connection = await context.connect(context.settings);
  try {
    const { sentence, data } = await work(connection);
    print(context, output === "json" ? JSON.stringify(data, null, 2) : sentence);
    return exitCodes.ok;
  } finally {
    await connection.close();
  }
}
