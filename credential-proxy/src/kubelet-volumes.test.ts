import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pino } from "pino";
import { createSecretSource } from "./keys/secret-source.ts";
import { createTokenSource } from "./mailbox/token.ts";
import type { RuleTable } from "./rules/rules.ts";
import { RulesSource } from "./rules/rules-source.ts";
import { KubeletVolume } from "./testing/kubelet-volume.ts";
import { openRule, upstreamRule } from "./testing/proxy.ts";

const promisedMs = 5_000;
const url = "http://127.0.0.1:1";

async function volume() {
  const folder = await mkdtemp(join(tmpdir(), "copepod-volume-"));
  return Object.assign(new KubeletVolume(folder), {
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  });
}

describe("volumes that the kubelet writes", { timeout: 30_000 }, () => {
  it("give the present token with each request", async () => {
    await using token = await volume();
    await token.write({ token: "first" });
    const read = createTokenSource(join(token.path, "token"));
    assert.equal(await read(), "first");
    await token.write({ token: "other" });
    assert.equal(await read(), "other");
  });

  it("give a rotated key, also when only the other key of a secret changes, or one that comes later", async () => {
    await using keys = await volume();
    await keys.write({ "one/key": "sk-first" });
    let now = 0;
    const sourceOf = (name: string) => createSecretSource(join(keys.path, name, "key"), openRule(name, url), () => now);
    const [one, two] = [sourceOf("one"), sourceOf("two")];
    assert.equal((await one.read()).value, "sk-first");
    await assert.rejects(two.read(), /the key of credential two is not there/);
    await keys.write({ "one/key": "sk-other", "two/key": "sk-two" });
    now += promisedMs;
    assert.equal(one.fresh, undefined);
    assert.equal((await one.read()).value, "sk-other");
    assert.equal((await two.read()).value, "sk-two");
  });

  it("replace the rules within the promised time", async () => {
    await using rules = await volume();
    const write = (group: string) =>
      rules.write({ "rules.json": JSON.stringify({ group, upstreams: [upstreamRule("api", url)], rules: [] }) });
    await write("first");
    const changed = Promise.withResolvers<RuleTable>();
    using source = await RulesSource.open({
      path: join(rules.path, "rules.json"),
      log: pino({ level: "silent" }),
      onChange: changed.resolve,
    });
    assert.equal(source.current.group, "first");
    await write("other");
    AbortSignal.timeout(promisedMs).addEventListener("abort", () => changed.reject(new Error("the rules are old")));
    assert.equal((await changed.promise).group, "other");
  });
});
