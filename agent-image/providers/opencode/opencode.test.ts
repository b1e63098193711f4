import { providerContract } from "../provider.contract.ts";
import { harnessGate, makeRealProvider } from "../testing/real-provider.ts";

const missing = harnessGate("opencode");
for (const api of ["Anthropic", "OpenAI"] as const)
  if (!missing)
    providerContract(`opencode with the API ${api}`, () =>
      makeRealProvider("opencode", { model: "some/model:8b", apis: [api] }),
    );
