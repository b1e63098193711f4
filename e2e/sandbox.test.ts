import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { probeBubblewrap } from "@copepod/cli/supervisor/sandbox/choose-sandbox";
import { attempts, rightful } from "./sandbox/attempts.ts";
import { detached } from "./sandbox/hostile-code.ts";
import { findMarked } from "./sandbox/marked.ts";
import { type Way, World } from "./sandbox/world.ts";
import { until } from "./support/until.ts";

const own = process.getuid?.() ?? 0;
/** A user that every machine has, and that owns nothing. */
const nobody = 65_534;

const ways: readonly Way[] =
  own === 0
    ? [
        { name: "of root", uid: 0 },
        { name: "of an ordinary user", uid: nobody },
      ]
    : [{ name: "of an ordinary user", uid: own }];

const probe = await probeBubblewrap(own);
const required = process.env.COPEPOD_REQUIRE_SANDBOX === "1";
const skip = probe.works || required ? false : `no sandbox here: bubblewrap: ${probe.reason}`;

for (const way of ways) {
  describe(`a hostile program in a session ${way.name}`, { skip, timeout: 300_000 }, () => {
    let world: World;
    before(async () => {
      world = await World.open(way);
    });
    after(() => world[Symbol.asyncDispose]());

    for (const [topic, list] of Object.entries(attempts)) {
      describe(topic, () => {
        for (const { name, argv, control } of list) {
          const uid = { root: 0, nobody, own: way.uid }[control ?? "own"];
          it(`never ${name}`, {
            skip: own !== 0 && uid !== own && "only root can show that the attempt works",
          }, async () => {
            assert.notEqual(await world.outside(argv, uid), undefined, "the attempt works outside");
            assert.equal(await world.inside(argv), undefined, "the attempt fails inside");
          });
        }
      });
    }

    for (const [sentence, argv] of Object.entries(rightful)) {
      it(sentence, async () => assert.notEqual(await world.inside(argv), undefined));
    }

    it("ends with the sandbox, also where it has left its parents and its terminal", async () => {
      const mark = `detached-${way.uid}-${process.pid}`;
      const child = world.start(detached(mark));
      await until("it runs", () => findMarked(mark).length > 0);
      child.kill("SIGKILL");
      await until("all of it is gone", () => findMarked(mark).length === 0);
    });
  });
}
