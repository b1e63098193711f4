import { describe, it, type TestContext } from "node:test";
import { type HarnessName, harnessNames } from "@copepod/agent-image/harnesses/harness";
import { harnessGate } from "@copepod/agent-image/providers/testing/real-provider";
import { isLoopbackOnly } from "../support/loopback-only.ts";
import { HarnessSystem } from "./harness-system.ts";
import { type Story, stories } from "./stories.ts";

const storyTimeoutMs = 180_000;

interface Telling {
  /** All stories, or the first one only. */
  readonly all: boolean;
  /** Why there is a network. */
  readonly network: string | undefined;
}

/** Stories with real harnesses on the whole process tree, in front of a fake model. */
export function tellStories({ all, network }: Telling): void {
  const told = all ? stories : stories.slice(0, 1);
  for (const name of harnessNames) {
    const skip = harnessGate(name);
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

async function tell(story: Story, name: HarnessName, t: TestContext): Promise<void> {
  await using harness = await HarnessSystem.start(name, story.session);
  try {
    await story.tell(harness);
  } catch (error) {
    t.diagnostic(await harness.evidence().catch(String));
    throw error;
  }
}
