import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import type { KubeClient } from "@copepod/kube/client/client";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { systemClock } from "@copepod/kube/clock";
import { ApiError } from "@copepod/kube/errors";
import { campaign } from "@copepod/kube/lease/election";
import { Fence } from "@copepod/kube/lease/fence";
import type { Leadership } from "@copepod/kube/lease/leadership";
import type { ElectionTimes } from "@copepod/kube/lease/options";
import { z } from "zod";
import { configMaps } from "../example/copier.ts";

// A program that wants to lead, in a process of its own: a test pauses it in the middle of an act. It acts by writing its
// name into two ConfigMaps in turn, and tells what happens to it, a line of JSON each.

export const termAnnotation = "example.dev/term";
export const targets = ["x", "y"] as const;

const taskSchema = z.object({
  kubeconfig: z.string(),
  namespace: z.string(),
  candidate: z.string(),
  times: z.object({ leaseMs: z.number(), renewDeadlineMs: z.number(), retryMs: z.number() }),
  /** Without the fence it only asks its local guard before each write. */
  fenced: z.boolean(),
});
export type Task = z.output<typeof taskSchema> & { readonly times: ElectionTimes };

export const toldSchema = z.object({
  event: z.enum(["leads", "writing", "wrote", "refused", "stands down"]),
  term: z.string().optional(),
  status: z.number().optional(),
});

const actEveryMs = 20;

const tell = (event: z.output<typeof toldSchema>["event"], more: object = {}): void =>
  void process.stdout.write(`${JSON.stringify({ event, ...more })}\n`);

/** A write waits here when it is told to: as one does that is on its way, in a buffer or a slow network. */
class Gate {
  #opened = Promise.withResolvers<void>();
  #isClosed = false;

  constructor() {
    createInterface({ input: process.stdin }).on("line", (line) => {
      if (line === "hold the next write") this.#isClosed = true;
      if (line === "let it go") this.#opened.resolve();
    });
  }

  async pass(): Promise<void> {
    if (!this.#isClosed) return;
    this.#isClosed = false;
    tell("writing");
    await this.#opened.promise;
  }
}

function gated(client: KubeClient, gate: Gate): Pick<KubeClient, "create" | "mergePatch" | "delete"> {
  return {
    create: (...call) => client.create(...call),
    delete: (...call) => client.delete(...call),
    mergePatch: async (resource, target, patch, options) => {
      await gate.pass();
      // Its signal is left out: what is on its way can't be called back.
      return await client.mergePatch(resource, target, patch, { timeoutMs: options?.timeoutMs ?? 10_000 });
    },
  };
}

type Write = (name: string, data: Record<string, string> | undefined) => Promise<void>;

function writerOf(task: Task, client: KubeClient, leadership: Leadership): Write {
  const gate = gated(client, new Gate());
  const fence = new Fence({ client: gate, leadership, annotation: termAnnotation });
  return async (name, data) => {
    const place = { namespace: task.namespace, name };
    const read = await client.get(configMaps, place);
    const patch = data ? { data } : {};
    leadership.check();
    if (task.fenced) await fence.mergePatch(configMaps, read, patch);
    else await gate.mergePatch(configMaps, place, patch);
  };
}

async function act(write: Write, candidate: string, leadership: Leadership): Promise<void> {
  for (const name of targets) await write(name, undefined);
  for (let number = 1; !leadership.signal.aborted; number += 1) {
    for (const name of targets) {
      await write(name, { by: candidate, number: String(number) }).then(
        () => tell("wrote"),
        (error: unknown) => {
          if (!(error instanceof ApiError)) throw error;
          tell("refused", { status: error.status });
        },
      );
    }
    await pause(actEveryMs);
  }
}

async function main(task: Task): Promise<void> {
  const client = createKubeClient({
    identity: kubeconfig({ files: [task.kubeconfig] }),
    userAgent: "candidate/1",
    clock: systemClock,
    random: Math.random,
  });
  const log = { debug: () => {}, info: () => {}, warn: () => {} };
  const election = {
    client,
    candidate: task.candidate,
    clock: systemClock,
    random: Math.random,
    log,
    times: task.times,
  };
  const leadership = await campaign(
    { ...election, lease: { namespace: task.namespace, name: "the-lease" } },
    new AbortController().signal,
  );
  tell("leads", { term: leadership.term });
  await act(writerOf(task, client, leadership), task.candidate, leadership).catch((error: unknown) => {
    if (!leadership.signal.aborted) throw error;
  });
  tell("stands down", { term: leadership.term });
  process.exit();
}

if (import.meta.main) await main(taskSchema.parse(JSON.parse(process.argv[2] ?? "")));
