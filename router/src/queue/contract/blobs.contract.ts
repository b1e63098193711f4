import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import type { MessageFile } from "@copepod/core/files";
import type { Holder } from "../queue-store.ts";
import { type OpenQueue, type QueueWorld, rejectsWith, withQueue } from "./testing.ts";

const hour = 60 * 60_000;

const file = (name: string, content = name): MessageFile => ({
  name,
  blob: createHash("sha256").update(content).digest("hex"),
  bytes: content.length,
});

const stored = async ({ store }: QueueWorld, file: MessageFile, session?: string): Promise<MessageFile> => {
  await store.blobStored(file, session);
  return file;
};

const sayWith = async (world: QueueWorld, text: string, files: readonly MessageFile[]): Promise<void> => {
  await world.store.useBlobs(files);
  const row = world.row(text);
  await world.store.accept({ rows: [{ ...row, body: { text, files } }], refused: [] });
};

const posting = (files: MessageFile[], more: { occurrence?: number; to?: string } = {}) => ({
  turn: 1,
  to: "alice",
  text: "here it is",
  occurrence: 0,
  files,
  ...more,
});

const forgotten = async ({ store, clock }: QueueWorld): Promise<string[]> =>
  (await store.forgetBlobs(clock.now() - hour)).map(({ blob }) => blob);

/** A runner that has taken one message. */
async function working(world: QueueWorld): Promise<Holder> {
  await world.sayAll("go");
  const holder = await world.runner();
  await world.take(holder);
  return holder;
}

export function blobContract(open: OpenQueue): void {
  const terminal = withQueue(open);
  const platform = withQueue(open, { servedByRouter: false });

  describe("files of messages", () => {
    it(
      "reach the agent with their message, and its own come back with their line",
      terminal(async (world) => {
        const [question, answer] = [
          await stored(world, file("q.txt")),
          await stored(world, file("a.txt"), "default/one"),
        ];
        await sayWith(world, "read this", [question]);
        const holder = await world.runner();
        const { messages } = await world.take(holder);
        assert.deepEqual(messages[0]?.body, { text: "read this", files: [question] });
        await world.store.post(holder, posting([answer]));
        const { lines } = await world.store.history(world.conversation.id, 10);
        assert.deepEqual(
          lines.map(({ from, text, files, session }) => ({ from, text, files, session })),
          [
            { from: "person", text: "read this", files: [question], session: undefined },
            { from: "agent", text: "here it is", files: [answer], session: "one" },
          ],
        );
      }),
    );

    it(
      "are refused when nobody has uploaded them, or in another size",
      terminal(async (world) => {
        const known = await stored(world, file("known.txt"));
        await rejectsWith(world.store.useBlobs([known, file("unknown.txt")]), "invalid");
        await rejectsWith(world.store.useBlobs([{ ...known, bytes: known.bytes + 1 }]), "invalid");
      }),
    );

    it(
      "can't be sent by a session that has not uploaded them itself",
      terminal(async (world) => {
        const holder = await working(world);
        const own = await stored(world, file("own.txt"), "default/one");
        const foreign = [
          await stored(world, file("theirs.txt"), "default/two"),
          await stored(world, file("owner's.txt")),
        ];
        for (const each of [...foreign, file("nowhere.txt"), { ...own, bytes: 1 }]) {
          await rejectsWith(world.store.post(holder, posting([own, each])), "invalid");
          const messages = [{ to: "alice", text: "done", files: [each] }];
          const finish = { turn: 1, consumed: [1], messages, cancelled: false, notice: undefined };
          await rejectsWith(world.store.finish(holder, finish), "invalid");
        }
        assert.deepEqual(await world.heard(), []);
        await world.store.post(holder, posting([own]));
        assert.deepEqual(await world.heard(), ["agent: here it is"]);
      }),
    );

    it(
      "can be seen by a session that has uploaded them or has a message with them, and by no other",
      terminal(async (world) => {
        const [sent, own, foreign] = [
          await stored(world, file("sent.txt")),
          await stored(world, file("own.txt"), "default/one"),
          await stored(world, file("foreign.txt"), "default/two"),
        ];
        await sayWith(world, "read this", [sent]);
        const see = (session: string) =>
          Promise.all([sent, own, foreign].map(({ blob }) => world.store.maySeeBlob(session, blob)));
        assert.deepEqual(await see("default/one"), [true, true, false]);
        assert.deepEqual(await see("default/two"), [false, false, true]);
      }),
    );

    it(
      "are found in both directions by the address of their conversation",
      terminal(async (world) => {
        const files = [await stored(world, file("sent.txt")), await stored(world, file("own.txt"), "default/one")];
        await sayWith(world, "read this", files.slice(0, 1));
        const holder = await world.runner();
        await world.take(holder);
        await world.store.post(holder, posting(files.slice(1)));
        const isIn = (prefix: string) => Promise.all(files.map(({ blob }) => world.store.isBlobIn(blob, prefix)));
        assert.deepEqual(await isIn("ali"), [true, true]);
        for (const prefix of ["alicia", "ALI", "a_i", "bob"]) assert.deepEqual(await isIn(prefix), [false, false]);
      }),
    );

    it(
      "are not found by an address on a platform, which the platform decides",
      platform(async (world) => {
        const sent = await stored(world, file("sent.txt"));
        await sayWith(world, "read this", [sent]);
        assert.equal(await world.store.isBlobIn(sent.blob, "ali"), false);
      }),
    );

    it(
      "are sent once by a turn that is repeated, and twice when one turn sends them twice",
      terminal(async (world) => {
        const holder = await working(world);
        const [one, two] = [
          await stored(world, file("a", "1"), "default/one"),
          await stored(world, file("a", "2"), "default/one"),
        ];
        const first = await world.store.post(holder, posting([one]));
        const again = await world.store.post(holder, posting([one]));
        assert.deepEqual([first.duplicate, again.duplicate, again.seq], [false, true, first.seq]);
        for (const other of [posting([one], { occurrence: 1 }), posting([two]), posting([{ ...one, name: "b" }])]) {
          assert.equal((await world.store.post(holder, other)).duplicate, false);
        }
        assert.equal((await world.heard()).length, 4);
      }),
    );

    it(
      "are named to a repeated turn among what it has sent already",
      terminal(async (world) => {
        const holder = await working(world);
        const one = await stored(world, file("a"), "default/one");
        await world.store.post(holder, posting([one]));
        const { alreadySent } = await world.take(await world.runner());
        assert.deepEqual(alreadySent, [{ to: "alice", text: "here it is", files: [one] }]);
      }),
    );

    it(
      "are refused for a channel that can't show them, before anything is sent",
      platform(async (world) => {
        const holder = await working(world);
        const one = await stored(world, file("a"), "default/one");
        const error = await rejectsWith(world.store.post(holder, posting([one])), "invalid");
        assert.match(error.message, /"alice" can't show files/);
        assert.deepEqual(await world.rows({ state: "pending" }), []);
      }),
    );
  });

  describe("blobs", () => {
    it(
      "count as unsent for each session that has uploaded them, until a row refers to them",
      terminal(async (world) => {
        const unsent = (session: string) => world.store.unsentBlobs(session);
        assert.deepEqual(await unsent("default/one"), { files: 0, bytes: 0 });
        const [sent, kept] = [file("sent"), file("kept it")];
        for (const each of [sent, kept]) await stored(world, each, "default/one");
        await stored(world, kept, "default/two");
        await stored(world, file("owner's"));
        assert.deepEqual(await unsent("default/one"), { files: 2, bytes: 11 });
        const holder = await working(world);
        await world.store.post(holder, posting([sent]));
        assert.deepEqual(await unsent("default/one"), { files: 1, bytes: 7 });
        assert.deepEqual(await unsent("default/two"), { files: 1, bytes: 7 });
        world.clock.pass(hour + 1);
        await forgotten(world);
        assert.deepEqual(await unsent("default/two"), { files: 0, bytes: 0 });
      }),
    );

    it(
      "are stored once, and known by the beginning of their hash",
      terminal(async (world) => {
        const one = file("one");
        assert.equal(await world.store.blobStored(one, undefined), true);
        assert.equal(await world.store.blobStored(one, "default/one"), false);
        const known = [{ blob: one.blob, bytes: one.bytes }];
        assert.deepEqual(await world.store.blobsIn(one.blob.slice(0, 2)), known);
        assert.deepEqual(await world.store.blobsIn(""), known);
        assert.deepEqual(await world.store.blobsIn(one.blob.startsWith("00") ? "01" : "00"), []);
      }),
    );

    it(
      "are forgotten after the grace when no row refers to them, and not before",
      terminal(async (world) => {
        const [unused, used] = [await stored(world, file("unused"), "default/one"), await stored(world, file("used"))];
        await sayWith(world, "read this", [used]);
        world.clock.pass(hour);
        assert.deepEqual(await forgotten(world), []);
        world.clock.pass(1);
        assert.deepEqual(await forgotten(world), [unused.blob]);
        assert.equal(await world.store.maySeeBlob("default/one", unused.blob), false);
        assert.deepEqual(await forgotten(world), []);
      }),
    );

    it(
      "get the grace anew when they are uploaded again or about to be used, and when the clock jumps",
      terminal(async (world) => {
        const [again, use] = [await stored(world, file("again")), await stored(world, file("use"))];
        world.clock.pass(hour);
        await world.store.blobStored(again, undefined);
        await world.store.useBlobs([use]);
        world.clock.pass(hour);
        assert.deepEqual(await forgotten(world), []);
        world.clock.jump(24 * hour);
        assert.deepEqual(await forgotten(world), []);
        world.clock.pass(1);
        assert.deepEqual((await forgotten(world)).sort(), [again.blob, use.blob].sort());
      }),
    );

    it(
      "are forgotten when the last row that refers to them is purged",
      terminal(async (world) => {
        const shared = await stored(world, file("shared"));
        await sayWith(world, "first", [shared]);
        const holder = await world.runner();
        await world.answer(holder, "thanks");
        world.clock.pass(2 * hour);
        await sayWith(world, "second", [shared]);
        await world.answer(holder, "thanks again");
        await world.store.purge(world.clock.now() - hour);
        world.clock.pass(2 * hour);
        assert.deepEqual(await forgotten(world), []);
        await world.store.purge(world.clock.now() - hour);
        assert.deepEqual(await forgotten(world), [shared.blob]);
      }),
    );
  });
}
