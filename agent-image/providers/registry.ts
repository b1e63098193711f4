import { CopepodError } from "@copepod/core/errors";
import { realTime } from "../runner/time.ts";
import type { ProviderFactory } from "./provider.ts";

/** Name of a provider → its code, read when it is first used: a session pays only for its own harness. */
const providers: Readonly<Record<string, () => Promise<ProviderFactory>>> = {
  demo: async () => (await import("./demo.ts")).createDemo(realTime),
};

/** @throws CopepodError `providerMissing` that lists the names. */
export async function loadProvider(name: string): Promise<ProviderFactory> {
  const load = Object.hasOwn(providers, name) ? providers[name] : undefined;
  if (load) return await load();
  const names = Object.keys(providers).join(", ");
  throw new CopepodError(
    "providerMissing",
    `the provider ${JSON.stringify(name)} is not installed; installed: ${names}`,
  );
}
