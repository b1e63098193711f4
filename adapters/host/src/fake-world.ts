import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { AdapterPackage } from "@copepod/adapter-kit/adapter";
import { testChannelPackage } from "@copepod/adapter-kit/test-channel/adapter";
import { type Platform, startPlatform } from "@copepod/adapter-kit/test-channel/platform";
import type { PlatformOptions } from "@copepod/adapter-kit/test-channel/platform-state";
import { pino } from "pino";
import { type FakeRouter, startFakeRouter } from "./fake-router.ts";
import { type HostEnd, runHost } from "./host.ts";
import { connectRouter } from "./router-client.ts";

const times = { sendMs: 300, reconcileMs: 5_000, settleMs: 20 };

interface World {
  readonly router: FakeRouter;
  readonly platform: Platform;
  /** Starts a host in this process. */
  host(instance?: string): Host;
  agentTexts(chat: string): readonly string[];
}

interface Host {
  readonly ended: Promise<HostEnd>;
  stop(): Promise<HostEnd>;
}

interface Setting extends PlatformOptions {
  readonly adapterPackage?: AdapterPackage;
  readonly config?: Record<string, unknown>;
}

/** A fake router, a real scripted platform, and hosts between them, all ended with the test. */
export async function build(t: TestContext, setting: Setting = {}): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "host-"));
  const platform = await startPlatform(setting);
  const router = await startFakeRouter(join(folder, "router.sock"), setting.config ?? { ...platform.endpoint });
  const tokenFile = join(folder, "token");
  await writeFile(tokenFile, router.token);
  const hosts: Host[] = [];
  t.after(async () => {
    await Promise.all(hosts.map((host) => host.stop()));
    await router[Symbol.asyncDispose]();
    await platform[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  const adapterPackage = setting.adapterPackage ?? testChannelPackage();
  return {
    router,
    platform,
    host(instance = "instance-1") {
      const stop = new AbortController();
      const { client, close } = connectRouter({ kind: "socket", socketPath: router.socket }, tokenFile);
      const log = pino({ level: "silent" });
      const deps = { client, adapterPackage, instance, random: Math.random, log, times, drainMs: 1_000 };
      const ended = runHost(deps, stop.signal).finally(close);
      const host = {
        ended,
        stop() {
          stop.abort();
          return ended;
        },
      };
      hosts.push(host);
      return host;
    },
    agentTexts: (chat) => platform.log(chat).flatMap((line) => (line.from === "agent" ? [line.text] : [])),
  };
}

export const stateOf = (router: FakeRouter, id: string) => router.rows.get(id)?.state;
