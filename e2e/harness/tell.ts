import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type HarnessName, harnessNames } from "@copepod/agent-image/harnesses/harness";
import { harnessGate } from "@copepod/agent-image/providers/testing/real-provider";
import { probeBubblewrap } from "@copepod/cli/supervisor/sandbox/choose-sandbox";
import { isLoopbackOnly } from "../support/loopback-only.ts";
import { HarnessSystem, keyPrefix } from "./harness-system.ts";
import { type Story, stories } from "./stories.ts";

const storyTimeoutMs = 180_000;

interface Telling {
  /** All stories, or the first one only. */
  readonly all: boolean;
  /** Why there is a network. */
  readonly network: string | undefined;
}

/** Stories with real harnesses on the whole process tree, in front of a fake model. */
export async function tellStories({ all, network }: Telling): Promise<void> {
  const told = all ? stories : stories.slice(0, 1);
  const sandbox = await sandboxGate();
  for (const name of harnessNames) {
    const skip = harnessGate(name) ?? sandbox;
    describe(`an agent with ${name}`, { skip }, () => {
      for (const story of told) {
        it(story.title, { skip, timeout: storyTimeoutMs }, async (t) => {
          if (!isLoopbackOnly()) t.diagnostic(`not shown without a network: ${network}`);
          if (!all) t.diagnostic(`${stories.length - told.length} more stories: npm run e2e:local`);
          await tell(story, name, t);
        });
      }
    });
  }
}

/** Without a sandbox, agents that run commands are refused. */
async function sandboxGate(): Promise<string | undefined> {
  const probe = await probeBubblewrap(process.getuid?.() ?? 0);
  if (probe.works || process.env.COPEPOD_REQUIRE_SANDBOX === "1") return undefined;
  return `bubblewrap does not work here: ${probe.reason}`;
}

async function tell(story: Story, name: HarnessName, t: TestContext): Promise<void> {
  await using harness = await HarnessSystem.start(name, story.session);
  try {
    await story.tell(harness);
    assert.deepEqual(await harness.filesWith(keyPrefix), [], "files in which a real key stands");
  } catch (error) {
    t.diagnostic(await harness.evidence().catch(String));
    throw error;
  }
}
