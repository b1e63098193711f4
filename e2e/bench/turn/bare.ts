import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { text as readText } from "node:stream/consumers";
import { defaultHarnessesDir, type HarnessName, harnessFolder } from "@copepod/agent-image/harnesses/harness";
import type { FakeModel } from "@copepod/agent-image/providers/testing/model/server";
import { models } from "../../harness/harness-system.ts";

interface Bare {
  /** The program, by the folder of the installed harness. */
  program(installed: string): readonly string[];
  env(fake: FakeModel, home: string): Readonly<Record<string, string>>;
  first(fake: FakeModel, prompt: string): readonly string[];
  resumed(fake: FakeModel, prompt: string): readonly string[];
}

/** What our provider drives is the Agent SDK, a library: by hand it is the shortest program around it. */
const claude: Bare = {
  program: (installed) => [
    process.execPath,
    join(import.meta.dirname, "claude-by-hand.ts"),
    join(installed, "node_modules/@anthropic-ai/claude-agent-sdk/sdk.mjs"),
  ],
  env: (fake) => ({
    IS_SANDBOX: "1",
    ANTHROPIC_BASE_URL: fake.url,
    ANTHROPIC_AUTH_TOKEN: fake.key,
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    DISABLE_TELEMETRY: "1",
  }),
  first: (_fake, prompt) => [models.claude, prompt, ""],
  resumed: (_fake, prompt) => [models.claude, prompt, "continue"],
};

const codexSettings = (fake: FakeModel) => {
  const provider = `{name="Fake",base_url="${fake.url}/v1",wire_api="responses",env_key="FAKE_KEY"}`;
  const settings = [
    `model="${models.codex}"`,
    'model_provider="fake"',
    `model_providers.fake=${provider}`,
    "analytics.enabled=false",
    "features.plugins=false",
    "features.apps=false",
  ];
  return ["--dangerously-bypass-approvals-and-sandbox", ...settings.flatMap((setting) => ["-c", setting])];
};

const codex: Bare = {
  program: (installed) => [join(installed, "node_modules/.bin/codex")],
  env: (fake, home) => ({ CODEX_HOME: home, FAKE_KEY: fake.key }),
  first: (fake, prompt) => ["exec", "--skip-git-repo-check", ...codexSettings(fake), prompt],
  resumed: (fake, prompt) => ["exec", "resume", "--last", "--skip-git-repo-check", ...codexSettings(fake), prompt],
};

const opencode: Bare = {
  program: (installed) => [join(installed, "node_modules/opencode-linux-x64/bin/opencode")],
  env: (fake) => ({
    OPENCODE_DISABLE_MODELS_FETCH: "1",
    OPENCODE_CONFIG_CONTENT: JSON.stringify({
      model: `fake/${models.opencode}`,
      autoupdate: false,
      share: "disabled",
      enabled_providers: ["fake"],
      permission: { edit: "allow", bash: "allow" },
      provider: {
        fake: {
          npm: "@ai-sdk/openai-compatible",
          options: { baseURL: `${fake.url}/v1`, apiKey: fake.key },
          models: { [models.opencode]: { tool_call: true, limit: { context: 200_000, output: 8_192 } } },
        },
      },
    }),
  }),
  first: (_fake, prompt) => ["run", "--title", "bench", prompt],
  resumed: (_fake, prompt) => ["run", "--continue", prompt],
};

const bares: Readonly<Record<HarnessName, Bare>> = { claude, codex, opencode };

/** A harness as a person starts it by hand: its own program, one prompt, straight to the model, with no sandbox. */
export class BareHarness implements AsyncDisposable {
  readonly #name: HarnessName;
  readonly #fake: FakeModel;
  readonly #folder: string;

  private constructor(name: HarnessName, fake: FakeModel, folder: string) {
    this.#name = name;
    this.#fake = fake;
    this.#folder = folder;
  }

  /** With empty folders: the first prompt is a cold start. */
  static async create(name: HarnessName, fake: FakeModel): Promise<BareHarness> {
    const folder = await mkdtemp(join(tmpdir(), `copepod-bare-${name}-`));
    await mkdir(join(folder, "home"));
    await mkdir(join(folder, "work"));
    return new BareHarness(name, fake, folder);
  }

  /** @returns ms from the start of the process to its first request, in a new conversation or the last one. */
  async timeToRequest(which: "first" | "resumed"): Promise<number> {
    const bare = bares[this.#name];
    const home = join(this.#folder, "home");
    const installed = harnessFolder(defaultHarnessesDir(process.env, homedir()), this.#name);
    const before = this.#fake.calls.length;
    const startedAt = performance.now();
    const [program = "", ...args] = [...bare.program(installed), ...bare[which](this.#fake, "hello")];
    const child = spawn(program, args, {
      cwd: join(this.#folder, "work"),
      env: { PATH: process.env.PATH, HOME: home, ...bare.env(this.#fake, home) },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [output, errors, [code]] = await Promise.all([
      readText(child.stdout),
      readText(child.stderr),
      once(child, "exit"),
    ]);
    const request = this.#fake.calls[before];
    if (code !== 0 || !request) throw new Error(`the bare ${this.#name} ended with ${code}: ${output}${errors}`);
    return request.arrivedAt - startedAt;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }
}
