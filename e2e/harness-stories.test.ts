import { isLoopbackOnly, loopbackOnlyGate, rerunLoopbackOnly } from "./support/loopback-only.ts";

// One story per installed harness; `npm run e2e:local` tells all of them.
const gate = loopbackOnlyGate();
if (isLoopbackOnly() || gate !== undefined) {
  const { tellStories } = await import("./harness/tell.ts");
  await tellStories({ all: false, network: gate });
} else await rerunLoopbackOnly();
