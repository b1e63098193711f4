import { describe } from "node:test";
import { gate } from "../testing/stage.ts";
import { tellStory } from "../testing/story.ts";
import { answers, chooseDocker } from "./engine.ts";

const hasEngine = await answers({ env: chooseDocker }, new AbortController().signal);
const can = hasEngine || (process.platform === "linux" && process.getuid?.() === 0);
const skip = gate(can, "a kind cluster needs a Docker engine, or root on Debian to make one");

const common = {
  provider: "kind",
  life: "dockerd",
  nodeOf: (name: string) => `copepod-${name}-control-plane`,
} as const;

describe(`a kind cluster in ${hasEngine ? "the machine's engine" : "an engine of its own"}`, { skip }, () => {
  if (!hasEngine) {
    const enforcePolicies = "kindnetd, which enforces policies, is in the official node image only";
    return tellStory({ ...common, upOptions: ["--own-engine"], cannot: { enforcePolicies } });
  }
  const cannot = {
    beKilled: "the engine is the machine's: it is not ours to kill",
    denyOtherNames: "its nodes ask the machine's DNS servers",
  };
  // The machine's engine keeps its network for the next cluster.
  tellStory({ ...common, cannot, leaves: ["processes"] });
});
