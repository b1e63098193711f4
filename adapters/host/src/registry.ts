import type { AdapterPackage } from "@copepod/adapter-kit/adapter";
import { CopepodError } from "@copepod/core/errors";

/** One line per adapter; its code is loaded only in the process that runs it. */
const adapters: Readonly<Record<string, () => Promise<AdapterPackage>>> = {
  test: async () => (await import("@copepod/adapter-kit/test-channel/adapter")).testChannelPackage(),
};

/** @throws CopepodError `invalid` for a type that nothing implements. */
export async function loadAdapter(type: string): Promise<AdapterPackage> {
  const load = Object.hasOwn(adapters, type) ? adapters[type] : undefined;
  if (!load) {
    const known = Object.keys(adapters).join(", ");
    throw new CopepodError("invalid", `there is no adapter of type "${type}"; those that exist: ${known}`);
  }
  return load();
}
