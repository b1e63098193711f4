import assert from "node:assert/strict";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { describe, it } from "node:test";
import { systemClock } from "../clock.ts";
import { isExpired } from "../errors.ts";
import type { WatchEvent } from "./client.ts";
import { maxLineBytes, watchGraceMs } from "./limits.ts";
import { maps, object, status, TestApi, WatchedClock, web } from "./testing/api.ts";

const clock = systemClock;
const options = { resourceVersion: "7", timeoutSeconds: 300, inactivityMs: 60_000 };
const event = (type: string, body: unknown = object): string => `${JSON.stringify({ type, object: body })}\n`;

describe("a watch", () => {
  it("asks for bookmarks from a version on, says when it is open, and ends with the stream", async () => {
    await using api = await TestApi.start();
    const bookmark = { kind: "ConfigMap", metadata: { resourceVersion: "9" } };
    api.queue((response) => {
      response.write(event("ADDED") + event("MODIFIED"));
      response.end(event("DELETED") + event("BOOKMARK", bookmark));
    });
    let opened = 0;
    const watch = api.client({ clock }).watch(maps, { ...options, opened: () => opened++ });
    assert.deepEqual(await Array.fromAsync(watch), [
      { type: "ADDED", object },
      { type: "MODIFIED", object },
      { type: "DELETED", object },
      { type: "BOOKMARK", resourceVersion: "9" },
    ]);
    assert.equal(opened, 1);
    const query = "?watch=true&allowWatchBookmarks=true&resourceVersion=7&timeoutSeconds=300";
    assert.equal(api.requests[0]?.url.search, query);
  });

  it("gets characters whole that are split over chunks", async () => {
    await using api = await TestApi.start();
    const said = { ...object, data: { text: "Grüße 🐬" } };
    const bytes = Buffer.from(event("ADDED", said));
    api.queue(async (response) => {
      response.socket?.setNoDelay(true);
      for (const byte of bytes) await new Promise((written) => response.write(Buffer.of(byte), written));
      response.end();
    });
    assert.deepEqual(await Array.fromAsync(api.client({ clock }).watch(maps, options)), [
      { type: "ADDED", object: said },
    ]);
  });

  it("gives the events before a cut, and then an error", async () => {
    await using api = await TestApi.start();
    const half = event("MODIFIED").slice(0, 30);
    const cuts: readonly ((response: ServerResponse) => void)[] = [
      (response) => response.write(event("ADDED") + half, () => response.destroy()),
      (response) => response.end(event("ADDED") + half),
    ];
    for (const make of cuts) {
      api.queue(make);
      const seen: WatchEvent[] = [];
      await assert.rejects(collect(api.client({ clock }).watch(maps, options), seen), {
        code: "clusterUnavailable",
        message: /^watch configmaps: the answer was cut/,
      });
      assert.deepEqual(seen, [{ type: "ADDED", object }]);
    }
  });

  it("fails with what an ERROR event says, or the answer", async () => {
    await using api = await TestApi.start();
    const tooOld = { kind: "Status", message: "too old", reason: "Expired", code: 410 };
    api.queue((response) => response.write(event("ADDED") + event("ERROR", tooOld)), status(410, "Expired"));
    const client = api.client({ clock });
    for (const _ of [1, 2]) await assert.rejects(Array.fromAsync(client.watch(maps, options)), isExpired);
  });

  it("fails for what is not an event, and for a line without an end", async () => {
    await using api = await TestApi.start();
    const client = api.client({ clock });
    for (const line of ["nonsense\n", "7\n", "{}\n", event("ADDED", {}), event("RENAMED"), event("BOOKMARK", web)]) {
      api.queue((response) => response.end(line));
      await assert.rejects(Array.fromAsync(client.watch(maps, options)), { code: "clusterUnavailable" });
    }
    api.queue((response) => {
      response.on("error", () => undefined);
      response.write(Buffer.alloc(maxLineBytes + 1, "x"));
    });
    await assert.rejects(Array.fromAsync(client.watch(maps, options)), /longer than/);
  });

  it("counts as hung when nothing comes, but not while its taker takes its time", async () => {
    await using api = await TestApi.start();
    const time = new WatchedClock();
    api.queue((response) => response.write(event("ADDED")));
    const events = api.client({ clock: time.clock }).watch(maps, { ...options, timeoutSeconds: 3_600 });
    const taker = events[Symbol.asyncIterator]();
    assert.equal((await taker.next()).done, false);
    time.pass(10 * options.inactivityMs);
    const hung = assert.rejects(async () => await taker.next(), /nothing came for 60000 ms/);
    time.pass(options.inactivityMs);
    await hung;
  });

  it("ends soon after its time when the server does not end it, whatever keeps it alive", async (t) => {
    await using api = await TestApi.start();
    const time = new WatchedClock();
    api.queue((response) => {
      response.on("error", () => undefined);
      const drip = () => !response.destroyed && response.write("\n", () => setTimeout(drip, 1));
      drip();
    });
    let isOpen = false;
    const opened = () => {
      isOpen = true;
    };
    const watch = api.client({ clock: time.clock }).watch(maps, { ...options, opened, inactivityMs: 1e9 });
    const ended = assert.rejects(Array.fromAsync(watch), { code: "clusterUnavailable", message: /not done within/ });
    await t.waitFor(() => assert.ok(isOpen));
    time.pass(options.timeoutSeconds * 1_000 + watchGraceMs);
    await ended;
  });

  it("does not read ahead of its taker without a bound", async () => {
    await using api = await TestApi.start();
    const line = event("ADDED", { ...object, data: { text: "x".repeat(100_000) } });
    let written = 0;
    api.queue((response) => {
      response.on("error", () => undefined);
      const more = () => {
        while (!response.destroyed && response.write(line)) written++;
        if (!response.destroyed) response.once("drain", more);
      };
      more();
    });
    const events = api.client({ clock }).watch(maps, options)[Symbol.asyncIterator]();
    await events.next();
    let before = -1;
    while (before !== written) {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.ok(written * line.length < 32 * 1024 * 1024, `${written} lines are on their way`);
    await events.return?.();
  });

  it("closes its connection when its taker leaves the loop, or aborts", async () => {
    await using api = await TestApi.start();
    const client = api.client({ clock });
    const gone: Promise<unknown>[] = [];
    api.otherwise = (response) => {
      gone.push(once(response, "close"));
      response.write(event("ADDED"));
    };
    for await (const _ of client.watch(maps, options)) break;
    const aborter = new AbortController();
    await assert.rejects(async () => {
      for await (const _ of client.watch(maps, { ...options, signal: aborter.signal }))
        aborter.abort(new Error("enough"));
    }, /^Error: enough$/);
    await Promise.all(gone);
    assert.equal(gone.length, 2);
  });

  it("takes nothing from the calls: as many as one likes are open, and calls go on", async () => {
    await using api = await TestApi.start();
    const client = api.client({ clock, rate: { perSecond: 1, burst: 1 } });
    const aborter = new AbortController();
    const opened = Array.from({ length: 100 }, async () => {
      api.queue((response) => response.write("\n"));
      await new Promise<void>((resolve) => {
        const watch = client.watch(maps, { ...options, signal: aborter.signal, opened: resolve });
        Array.fromAsync(watch).catch(() => undefined);
      });
    });
    await Promise.all(opened);
    assert.deepEqual(await client.get(maps, web), object);
    aborter.abort();
  });
});

async function collect(events: AsyncIterable<WatchEvent>, into: WatchEvent[]): Promise<void> {
  for await (const one of events) into.push(one);
}
