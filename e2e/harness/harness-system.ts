import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HarnessName } from "@copepod/agent-image/harnesses/harness";
import { type FakeModel, startFakeModel } from "@copepod/agent-image/providers/testing/model/server";
import { System, terminalResources } from "../support/system.ts";
import { until } from "../support/until.ts";

const conversation = "main";
const secret = "fake";
const shownLogLines = 40;
export const instructions = "You live in a tide pool and are never in a hurry.";

/** Distinct enough to be found wherever it leaks to. */
export const keyPrefix = "the-real-key-";
const newKey = (): string => keyPrefix + crypto.randomUUID();

const keyFolder = (home: string): string => join(home, "keys", secret);

/** A whole system whose agent group runs a real harness in front of a fake model. */
export class HarnessSystem implements AsyncDisposable {
  readonly system: System;
  readonly fake: FakeModel;
  readonly name: HarnessName;
  readonly #session: object;
  readonly #parts: AsyncDisposableStack;

  private constructor(
    parts: AsyncDisposableStack,
    made: Pick<HarnessSystem, "system" | "fake" | "name">,
    session: object,
  ) {
    this.#parts = parts;
    this.#session = session;
    this.system = made.system;
    this.fake = made.fake;
    this.name = made.name;
  }

  static async start(name: HarnessName, session: object = {}): Promise<HarnessSystem> {
    const parts = new AsyncDisposableStack();
    try {
      const home = await mkdtemp(join(tmpdir(), `copepod-${name}-`));
      parts.defer(async () => await rm(home, { recursive: true, force: true, maxRetries: 3 }));
      const fake = parts.use(await startFakeModel({ key: newKey() }));
      await mkdir(keyFolder(home), { recursive: true, mode: 0o700 });
      await writeKey(home, fake.key);
      const [, ...others] = terminalResources();
      const resources = [groupWith(name, session), ...others, ...credentialsFor(fake.url)];
      const system = parts.use(await System.start(resources, home));
      return new HarnessSystem(parts, { system, fake, name }, session);
    } catch (error) {
      await parts.disposeAsync();
      throw error;
    }
  }

  async ask(text: string): Promise<string> {
    return await this.system.ask(conversation, text);
  }

  async say(text: string): Promise<{ id: string; session: string }> {
    return await this.system.say(conversation, text);
  }

  /** All texts that answer a message, when it is no longer open. */
  async answerTo(id: string, timeoutMs?: number): Promise<string[]> {
    return await this.system.answerTo(conversation, id, timeoutMs);
  }

  async lines() {
    return await this.system.lines(conversation);
  }

  async stop() {
    return await this.system.admin.stop({ conversation, sender: "ann" });
  }

  /** Says something and waits until its shell runs a command that the fake model asked for. */
  async sayAndWork(text: string): Promise<{ id: string; session: string }> {
    const before = this.fake.calls.length;
    const said = await this.say(text);
    await until("the model was asked and has answered", () =>
      this.fake.calls.slice(before).some(({ endedAt }) => endedAt !== undefined),
    );
    return said;
  }

  async asleep(session: string): Promise<void> {
    await until("the session sleeps", async () => {
      const { items } = await this.system.admin.listSessions({});
      return items.find(({ name }) => name === session)?.phase === "Asleep";
    });
    await until("its processes are gone", async () =>
      (await this.system.processes()).every(({ program }) => program !== "runner" && program !== "proxy"),
    );
  }

  async changeProvider(provider: HarnessName): Promise<void> {
    await this.system.writeResource("0.yaml", groupWith(provider, this.#session));
  }

  /** The model takes a new key only; Copepod is given it, or not. */
  async rotateKey({ tell }: { readonly tell: boolean }): Promise<void> {
    this.fake.rotate(newKey());
    if (tell) await this.tellKey();
  }

  async tellKey(): Promise<void> {
    await writeKey(this.system.home, this.fake.key);
  }

  /** How many turns the runner of a session has begun, over all its lives. */
  async turns(session: string): Promise<number> {
    const log = await readFile(join(this.system.home, "logs", `runner-${session.split("/").at(-1)}.log`), "utf8");
    return log.split("\n").filter((line) => line.includes('"turn begins"')).length;
  }

  /** Files below the home in which a text stands, less the keys. */
  async filesWith(text: string): Promise<string[]> {
    const entries = await readdir(this.system.home, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    const searched = files.filter((file) => !file.startsWith(keyFolder(this.system.home)));
    const found = await Promise.all(searched.map(async (file) => (await readOrNothing(file)).includes(text)));
    return searched.filter((_, index) => found[index]);
  }

  /** What to look at when a story fails: what was said, asked of the model, and logged as a warning or worse. */
  async evidence(): Promise<string> {
    const said = (await this.lines()).map(({ from, text }) => `${from}: ${text}`);
    const asked = this.fake.journal.map(({ method, path, model, status, aborted }) =>
      [method, path, model, status, aborted && "aborted"].filter(Boolean).join(" "),
    );
    const logged = (await this.system.logs())
      .split("\n")
      .filter((line) => !/"level":"?(info|debug|trace|[123]0)"?/.test(line));
    return ["Said:", ...said, "Asked:", ...asked, "Logged:", ...logged.slice(-shownLogLines)].join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }
}

/** A harness removes files of its own at any time. */
const readOrNothing = async (file: string): Promise<Buffer> => await readFile(file).catch(() => Buffer.of());

/** In one step, as a person or an operator would do it: the proxy may be reading it just now. */
async function writeKey(home: string, key: string): Promise<void> {
  const file = join(keyFolder(home), "key");
  await writeFile(`${file}.new`, key, { mode: 0o600 });
  await rename(`${file}.new`, file);
}

/** The models that the fake one stands for. */
export const models: Readonly<Record<HarnessName, string>> = {
  claude: "claude-sonnet-4-5",
  codex: "gpt-5.1-codex",
  opencode: "fake-model",
};

export const groupWith = (provider: HarnessName, session: object): object => ({
  kind: "AgentGroup",
  metadata: { name: "helper" },
  spec: {
    instructions,
    session,
    agent: { provider, model: models[provider] },
    credentials: ["anthropic", "openai"],
  },
});

export const credentialsFor = (url: string): object[] => [
  credential("anthropic", {
    upstream: { api: "Anthropic", baseUrl: url, private: true },
    // Both APIs list their models below one path, and a path can have one key only.
    match: { paths: ["/v1/messages"], methods: ["POST"] },
  }),
  credential("openai", { upstream: { api: "OpenAI", baseUrl: `${url}/v1`, private: true } }),
];

const credential = (name: string, spec: object): object => ({
  kind: "Credential",
  metadata: { name },
  spec: { ...spec, secretRef: { name: secret } },
});
