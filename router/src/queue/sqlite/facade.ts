import { stat } from "node:fs/promises";
import type { QueueStore } from "../queue-store.ts";
import { backupDatabase } from "./backup.ts";
import type { Batcher } from "./batcher.ts";

/** The store's methods as commands for the batcher. */
export function createFacade(batcher: Batcher, path: string): QueueStore {
  const { run } = { run: batcher.run.bind(batcher) };
  return {
    introduce: (...args) => run("introduce", args),
    conversation: (...args) => run("conversation", args),
    accept: (...args) => run("accept", args),
    acceptBatch: (...args) => run("acceptBatch", args),
    promoteDue: (...args) => run("promoteDue", args),
    wishes: (...args) => run("wishes", args),
    wish: (...args) => run("wish", args),
    settle: (...args) => run("settle", args),
    observePod: (...args) => run("observePod", args),
    raiseEpoch: (...args) => run("raiseEpoch", args),
    hindered: (...args) => run("hindered", args),
    endBackOff: (...args) => run("endBackOff", args),
    requestDrain: (...args) => run("requestDrain", args),
    replaceDrained: (...args) => run("replaceDrained", args),
    setPaused: (...args) => run("setPaused", args),
    startFailed: (...args) => run("startFailed", args),
    sleepIfIdle: (...args) => run("sleepIfIdle", args),
    idleCandidates: (...args) => run("idleCandidates", args),
    admit: (...args) => run("admit", args),
    activeGroups: (...args) => run("activeGroups", args),
    hello: (...args) => run("hello", args),
    take: (...args) => run("take", args),
    extend: (...args) => run("extend", args),
    post: (...args) => run("post", args),
    finish: (...args) => run("finish", args),
    fail: (...args) => run("fail", args),
    acknowledge: (...args) => run("acknowledge", args),
    drain: (...args) => run("drain", args),
    expireHolders: (...args) => run("expireHolders", args),
    destinations: (...args) => run("destinations", args),
    stop: (...args) => run("stop", args),
    channelHello: (...args) => run("channelHello", args),
    leaseOut: (...args) => run("leaseOut", args),
    completeOut: (...args) => run("completeOut", args),
    failOut: (...args) => run("failOut", args),
    isKnown: (...args) => run("isKnown", args),
    expireDeliveries: (...args) => run("expireDeliveries", args),
    expireHosts: (...args) => run("expireHosts", args),
    blobStored: (...args) => run("blobStored", args),
    useBlobs: (...args) => run("useBlobs", args),
    maySeeBlob: (...args) => run("maySeeBlob", args),
    isBlobIn: (...args) => run("isBlobIn", args),
    unsentBlobs: (...args) => run("unsentBlobs", args),
    blobsIn: (...args) => run("blobsIn", args),
    forgetBlobs: (...args) => run("forgetBlobs", args),
    linesAfter: (...args) => run("linesAfter", args),
    history: (...args) => run("history", args),
    listSessions: (...args) => run("listSessions", args),
    session: (...args) => run("session", args),
    listMessages: (...args) => run("listMessages", args),
    retry: (...args) => run("retry", args),
    audit: (...args) => run("audit", args),
    recordUsage: (...args) => run("recordUsage", args),
    usage: (...args) => run("usage", args),
    purge: (...args) => run("purge", args),
    backup: (target) => backupDatabase(path, target),
    stats: async () => ({ ...(await run("figures", [])), walBytes: await sizeOf(`${path}-wal`) }),
    [Symbol.asyncDispose]: () => batcher[Symbol.asyncDispose](),
  };
}

async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found?.size ?? 0;
}
