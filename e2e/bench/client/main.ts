import { createInterface } from "node:readline";
import { type Candidate, jobSchema, type Order } from "./candidate.ts";

const candidates = {
  ours: () => import("./ours.ts"),
  clientNode: () => import("./client-node.ts"),
};

const [, , name = "", kubeconfigFile = ""] = process.argv;
const load = Object.entries(candidates).find(([known]) => known === name)?.[1];
if (!load) throw new Error(`no candidate named "${name}"`);
const candidate = (await load()).makeCandidate(kubeconfigFile);

const say = (answer: unknown) => process.stdout.write(`${JSON.stringify(answer)}\n`);
say("ready");
for await (const line of createInterface({ input: process.stdin })) {
  say(await perform(candidate, jobSchema.parse(JSON.parse(line))));
}
process.exit();

async function perform(client: Candidate, order: Order): Promise<number[]> {
  switch (order.do) {
    case "get":
      return await timed(order, () => client.get(order));
    case "patch":
      return await timed(order, (time) => client.patch(order, { patched: String(time) }));
    case "apply":
      return await timed(order, (time) => client.apply(order, { applied: String(time) }));
    case "watch":
      return await watch(client, order);
    case "cache": {
      const objects = await client.cache();
      globalThis.gc?.();
      return [objects];
    }
  }
}

async function timed({ count }: Order, act: (time: number) => Promise<unknown>): Promise<number[]> {
  const took: number[] = [];
  for (let time = 0; time < count; time++) {
    const startedAt = performance.now();
    await act(time);
    took.push(performance.now() - startedAt);
  }
  return took;
}

async function watch(client: Candidate, order: Order): Promise<number[]> {
  const latencies: number[] = [];
  let open = 0;
  const watches = Array.from({ length: order.count }, async () => {
    const stop = new AbortController();
    let seen = 0;
    const watching = {
      signal: stop.signal,
      opened: () => {
        open++;
        if (open === order.count) say("open");
      },
      onData: (data: unknown) => {
        const sent = typeof data === "object" && data !== null && "sent" in data ? Number(data.sent) : Number.NaN;
        if (Number.isNaN(sent)) return;
        latencies.push(performance.timeOrigin + performance.now() - sent);
        seen++;
        if (seen === order.events) stop.abort();
      },
    };
    await client.watch(order, watching).catch((error) => {
      if (!stop.signal.aborted) throw error;
    });
  });
  await Promise.all(watches);
  return latencies;
}
