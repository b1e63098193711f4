import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { existsSync } from "node:fs";
import { chown, mkdir, mkdtemp, mkdtempDisposable, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { defaultHarnessesDir } from "@copepod/agent-image/harnesses/harness";
import { environment } from "@copepod/core/environment";
import { Builder, cacheFolder } from "./build.ts";
import { type ImageName, plans } from "./catalogue.ts";

const { env } = process;
/** The folder of the image becomes the root folder, which nobody can write, of a process without a network. */
const enter = `
set -e
mount --bind "$1" "$1"
mount --rbind "$2" "$1/run"
mount --rbind /dev "$1/dev"
mount -t proc proc "$1/proc"
mount -o remount,ro,bind "$1"
user=$3 root=$1 chroot=$4
shift 4
# This shell stays, as the first process: its end is the end of all. A process that becomes another user forgets that.
"$chroot" --userspec="$user" "$root" "$@"
exit $?
`;

const tools = ["unshare", "chroot", "apt-get", "dpkg-deb", "tar", "mount", "sh"] as const;
const folders = [...(env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
const found = new Map(
  tools.map((name) => [name, folders.map((folder) => join(folder, name)).find((path) => existsSync(path))] as const),
);

const skip = whyNot();

function whyNot(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    return "only root on Linux can enter an image's root folder";
  const missing = tools.filter((name) => found.get(name) === undefined);
  return missing.length === 0 ? undefined : `there is no ${missing.join(", ")}`;
}

describe("a program in its image: another user, no network, nothing to write but its volume", { skip }, () => {
  const ending = new AbortController();
  let place: Awaited<ReturnType<typeof mkdtempDisposable>>;
  let builder: Builder;

  before(async () => {
    place = await mkdtempDisposable(join(tmpdir(), "copepod-boot-"));
    builder = new Builder({
      repository: resolve(import.meta.dirname, ".."),
      cache: cacheFolder(env, homedir()),
      harnesses: defaultHarnessesDir(env, homedir()),
      ...{ registry: "localhost", version: "0.0.0", unlocked: true, env, say: () => {}, signal: ending.signal },
    });
  });
  after(async () => {
    ending.abort();
    await place[Symbol.asyncDispose]();
  });

  /** @returns the command that enters the image, and the folder that is its `/run` */
  async function unpack(name: ImageName): Promise<{ run: string; command: string[] }> {
    const root = join(place.path, name);
    const run = await mkdtemp(join(place.path, "run-"));
    await chown(run, plans[name].user, plans[name].user);
    const layers = existsSync(root) ? [] : await builder.layerFiles(name);
    await mkdir(root, { recursive: true });
    for (const layer of layers)
      await promisify(execFile)("tar", ["--extract", "--gzip", "--file", layer, "--directory", root]);
    const alone = ["--mount", "--pid", "--net", "--fork", "--kill-child", found.get("sh") ?? "", "-c", enter, "sh"];
    return {
      run,
      command: [...alone, root, run, `${plans[name].user}:${plans[name].user}`, found.get("chroot") ?? ""],
    };
  }

  /** Its output is what it has written until now. It ends with the tests. */
  function start(command: readonly string[], settings: NodeJS.ProcessEnv) {
    const child = spawn(found.get("unshare") ?? "", command, { env: settings });
    ending.signal.addEventListener("abort", () => child.kill("SIGKILL"));
    const started = {
      output: "",
      ended: once(child, "close").then(([code]) => Number(code)),
      changed: new EventEmitter(),
    };
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        started.output += chunk.toString();
        started.changed.emit("change");
      });
    return started;
  }

  async function untilSays(started: ReturnType<typeof start>, line: string): Promise<void> {
    const said = Promise.withResolvers<void>();
    started.changed.on("change", () => started.output.includes(line) && said.resolve());
    await unlessItEnds(started, said.promise);
  }

  async function unlessItEnds(started: ReturnType<typeof start>, awaited: Promise<void>): Promise<void> {
    const early = started.ended.then((code) => assert.fail(`ended with ${code}: ${started.output}`));
    await Promise.race([awaited, early]);
  }

  it("the router opens its database, in its thread, and serves", async () => {
    const { run, command } = await unpack("router");
    const sockets = { mailboxSocket: "m", channelSocket: "c", adminSocket: "a", supervisorSocket: "s" } as const;
    const paths = Object.entries(sockets).map(([name, file]) => [
      environment[name as keyof typeof sockets],
      `/run/${file}`,
    ]);
    await mkdir(join(run, "home"));
    await chown(join(run, "home"), plans.router.user, plans.router.user);
    const settings = { ...Object.fromEntries(paths), [environment.home]: "/run/home" };
    await untilSays(start([...command, ...plans.router.entrypoint], settings), "router is ready");
  });

  it("the credential-proxy serves", async () => {
    const { run, command } = await unpack("credential-proxy");
    await writeFile(join(run, "rules.json"), JSON.stringify({ group: "family", upstreams: [], rules: [] }));
    await writeFile(join(run, "token"), "token", { mode: 0o644 });
    const settings = {
      [environment.proxySocket]: "/run/proxy.sock",
      [environment.mailboxSocket]: "/run/mailbox.sock",
      [environment.placeholder]: "a-placeholder-of-a-test",
      [environment.tokenFile]: "/run/token",
      [environment.rulesFile]: "/run/rules.json",
      [environment.keysDir]: "/run/keys",
      [environment.instructionsDir]: "/run",
    };
    await untilSays(start([...command, ...plans["credential-proxy"].entrypoint], settings), "credential-proxy serves");
  });

  it("the operator reads its settings", async () => {
    const { command } = await unpack("operator");
    const started = start([...command, ...plans.operator.entrypoint], {});
    assert.notEqual(await started.ended, 0);
    assert.match(started.output, new RegExp(environment.namespaces));
  });

  it("the runner asks its proxy, with an init as the first process", async () => {
    const { run, command } = await unpack("agent");
    const asked = Promise.withResolvers<void>();
    const server = createServer((socket) => {
      socket.destroy();
      asked.resolve();
    });
    server.listen(join(run, "proxy.sock")).unref();
    await once(server, "listening");
    await chown(join(run, "proxy.sock"), plans.agent.user, plans.agent.user);
    const settings = {
      ...plans.agent.env,
      [environment.proxySocket]: "/run/proxy.sock",
      [environment.placeholder]: "a-placeholder-of-a-test",
      [environment.workspace]: "/run",
      [environment.agentDir]: "/run",
    };
    await unlessItEnds(start([...command, ...plans.agent.entrypoint], settings), asked.promise);
    server.close();
  });

  it("an agent's tools find their libraries, and are who they should be", async () => {
    const script = `
      id --user --name
      for file in /usr/bin/* /usr/sbin/* /usr/lib/git-core/* /usr/lib/python3*/lib-dynload/*; do ldd "$file" 2>/dev/null | grep "not found" && echo "$file"; done
      touch /file 2>/dev/null && echo "the root folder can be written"
      cd /run && export HOME=/run && git init --quiet repository && cd repository && echo text > file && git add file
      git -c user.name=a -c user.email=b commit --quiet --message first && git log --format=%s
      python3 -c 'import json, ssl, sqlite3, urllib.request; print(json.dumps(len(ssl.create_default_context().get_ca_certs()) > 100))'
      echo '{"a": [1]}' | jq -c .a; echo text | rg --count t; echo a b | awk '{print $2}'; TZ=Asia/Tokyo date --date=@0 +%H
    `;
    const { command } = await unpack("agent");
    const started = start([...command, "/bin/bash", "-c", script], plans.agent.env);
    assert.equal(await started.ended, 0, started.output);
    assert.deepEqual(started.output.trimEnd().split("\n"), ["agent", "first", "true", "[1]", "1", "b", "09"]);
  });
});
