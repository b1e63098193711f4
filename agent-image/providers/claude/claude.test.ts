import { describe } from "node:test";
import { providerContract } from "../provider.contract.ts";
import { harnessGate, makeRealProvider } from "../testing/real-provider.ts";

const skip = harnessGate("claude");

describe("Claude", { skip }, () => {
  providerContract("claude", () => makeRealProvider("claude"));
});
