import { CopepodError } from "@copepod/core/errors";
import { type HarnessName, harnessFolder, isInstalled } from "../harnesses/harness.ts";
import type { Sandbox } from "../runner/config.ts";
import type { Provider, ProviderDeps, ProviderFactory } from "./provider.ts";

interface Registered {
  /** Read when it is first used: a session pays only for its own provider. */
  readonly load: () => Promise<ProviderFactory>;
  /** What has to be installed. A provider with a harness runs commands, and so needs a sandbox. */
  readonly harness?: HarnessName;
  /** Reads what of the harness runs in our process. */
  readonly preload?: (harnessDir: string) => Promise<unknown>;
}

const providers: Readonly<Record<string, Registered>> = {
  demo: { load: async () => (await import("./demo/demo.ts")).createDemo },
  claude: {
    load: async () => (await import("./claude/claude.ts")).createClaude,
    harness: "claude",
    preload: async (harnessDir) => await (await import("./claude/sdk.ts")).loadSdk(harnessDir),
  },
  codex: { load: async () => (await import("./codex/codex.ts")).createCodex, harness: "codex" },
  opencode: { load: async () => (await import("./opencode/opencode.ts")).createOpenCode, harness: "opencode" },
};

/** What the machine offers to providers. */
export interface ProviderPlace {
  readonly sandbox: Sandbox;
  /** Folder of installed harnesses; undefined = there is none. */
  readonly harnessesDir: string | undefined;
}

/** @throws CopepodError `providerMissing` (unknown, or not installed), `sandboxMissing` */
export async function createProvider(
  name: string,
  deps: Omit<ProviderDeps, "harnessDir">,
  place: ProviderPlace,
): Promise<Provider> {
  const registered = Object.hasOwn(providers, name) ? providers[name] : undefined;
  if (!registered) {
    const known = Object.keys(providers).join(", ");
    throw new CopepodError("providerMissing", `there is no provider ${JSON.stringify(name)}; there are: ${known}`);
  }
  const harnessDir = registered.harness ? harnessDirOf(registered.harness, place) : "";
  const create = await registered.load();
  return await create({ ...deps, harnessDir });
}

function harnessDirOf(harness: HarnessName, { sandbox, harnessesDir }: ProviderPlace): string {
  if (sandbox === "none") {
    throw new CopepodError(
      "sandboxMissing",
      `the provider ${harness} can run commands, and this machine has no sandbox for them: install bubblewrap, or start Copepod with --unsandboxed`,
    );
  }
  if (harnessesDir === undefined || !isInstalled(harnessesDir, harness)) {
    throw new CopepodError(
      "providerMissing",
      `the harness of the provider ${harness} is not installed; \`copepod provider add ${harness}\` installs it`,
    );
  }
  return harnessFolder(harnessesDir, harness);
}

/** Reads the code of all providers that could run here. @param harnessesDir folder of installed harnesses */
export async function preloadProviders(harnessesDir: string | undefined): Promise<void> {
  for (const { load, harness, preload } of Object.values(providers)) {
    await load();
    if (preload && harness && harnessesDir !== undefined && isInstalled(harnessesDir, harness)) {
      await preload(harnessFolder(harnessesDir, harness));
    }
  }
}
