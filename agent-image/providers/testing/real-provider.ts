import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { CopepodError } from "@copepod/core/errors";
import type { ModelApi } from "@copepod/core/proxy-rules";
import { pino } from "pino";
import { defaultHarnessesDir, type HarnessName, isInstalled } from "../../harnesses/harness.ts";
import { realTime } from "../../runner/time.ts";
import { startToolsServer } from "../../runner/tools-server.ts";
import type { ProviderRig } from "../provider.contract.ts";
import type { Provider, ProviderDeps, ProviderUpstream, Tools } from "../provider.ts";
import { createProvider } from "../registry.ts";
import { type FakeModel, startFakeModel } from "./model/server.ts";

/** Destination of the provider contract; every other one is unknown to the tools. */
const destination = "family";
const key = "the-key-of-the-fake-model";
const harnessesDir = defaultHarnessesDir(process.env, homedir());

/**
 * Why the tests of a harness can't run here; undefined when they can.
 * @throws Error instead of a reason where `COPEPOD_REQUIRE_HARNESSES=1` asks for all of them
 */
export function harnessGate(name: HarnessName): string | undefined {
  if (isInstalled(harnessesDir, name)) return undefined;
  const reason = `the harness ${name} is not installed; \`npx copepod provider add ${name}\` installs it`;
  if (process.env.COPEPOD_REQUIRE_HARNESSES === "1") throw new Error(reason);
  return reason;
}

export interface RealProviderOptions extends Partial<Pick<ProviderDeps, "model" | "effort" | "mcpServers" | "skills">> {
  /** APIs that are offered, the preferred one first. Default: both. */
  readonly apis?: readonly ModelApi[];
  /** Key that is sent to the fake model; default: the right one. */
  readonly placeholder?: string;
  readonly subscription?: boolean;
}

/** A provider that runs its real harness against a fake model, in temporary folders. */
export interface RealProvider extends ProviderRig {
  readonly fake: FakeModel;
  readonly workspace: string;
  readonly agentDir: string;
  /** What was sent with Copepod's own tools. A file is told by its path. */
  readonly sent: readonly Sent[];
  /** Another provider on the same folders, as after a restart of the runner. */
  again(options?: RealProviderOptions): Promise<Provider>;
}

export interface Sent {
  readonly to: string;
  readonly text: string | undefined;
  readonly path?: string;
}

/** Its messages are in the script language of the fake model. */
export async function makeRealProvider(name: HarnessName, options: RealProviderOptions = {}): Promise<RealProvider> {
  const made = new AsyncDisposableStack();
  try {
    return await make(name, options, made);
  } catch (error) {
    await made.disposeAsync();
    throw error;
  }
}

async function make(
  name: HarnessName,
  options: RealProviderOptions,
  made: AsyncDisposableStack,
): Promise<RealProvider> {
  const folder = await mkdtemp(join(tmpdir(), `copepod-${name}-`));
  made.defer(async () => await rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  const places = { workspace: join(folder, "workspace"), agentDir: join(folder, "agent") };
  await mkdir(join(places.workspace, "home"), { recursive: true });
  await mkdir(places.agentDir);
  const fake = made.use(await startFakeModel({ key }));
  const sent: Sent[] = [];
  const tools = recordingTools(sent);
  const own = made.use(await startToolsServer(tools, log)).server;
  const again = async (changed: RealProviderOptions = options) => {
    const deps = { ...places, tools, time: realTime, log, env: environmentOf(places.workspace) };
    const { model, effort, skills = [], mcpServers = [] } = changed;
    const settings = { model, effort, skills, mcpServers: [own, ...mcpServers], upstreams: upstreamsOf(fake, changed) };
    const provider = await createProvider(name, { ...deps, ...settings }, { sandbox: "waived", harnessesDir });
    made.defer(async () => await provider.close());
    return provider;
  };
  const provider = await again();
  return { ...texts, ...places, provider, fake, sent, again, [Symbol.asyncDispose]: () => made.disposeAsync() };
}

const log = pino({ level: process.env.COPEPOD_LOG_LEVEL ?? "silent" });

const texts = {
  quick: "hello",
  busy: "sleep: 0.5",
  endless: "sleep: 60",
  failing: { text: "fail: 401", class: "auth" },
} as const;

function recordingTools(sent: Sent[]): Tools {
  const note = (one: Sent) => {
    if (one.to !== destination) throw new CopepodError("destinationUnknown", `there is no destination ${one.to}`);
    return { seq: sent.push(one) };
  };
  return {
    sendMessage: async (to, text) => note({ to, text }),
    sendFile: async (to, path, text) => note({ to, text, path }),
  };
}

const environmentOf = (workspace: string) => ({
  PATH: process.env.PATH ?? "",
  LANG: "C.UTF-8",
  HOME: join(workspace, "home"),
});

function upstreamsOf(fake: FakeModel, options: RealProviderOptions): ProviderUpstream[] {
  const { apis = ["Anthropic", "OpenAI"], placeholder = key, subscription = false } = options;
  return apis.map((api) => ({
    name: api.toLowerCase(),
    api,
    placeholder,
    subscription: subscription && api === "Anthropic",
    baseUrl: api === "Anthropic" ? fake.url : `${fake.url}/v1`,
  }));
}
