import assert from "node:assert/strict";
import { lstat, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { CopepodError } from "@copepod/core/errors";
import { obstacles, plant } from "../runner/testing/obstacles.ts";
import { archive } from "./claude/archive.ts";
import { linkSkills } from "./claude/skills.ts";
import { prepareHome as prepareCodex } from "./codex/home.ts";
import { prepareHome as prepareOpenCode } from "./opencode/settings.ts";
import type { ProviderUpstream } from "./provider.ts";
import { bareDeps } from "./testing/bare-deps.ts";

const upstream: ProviderUpstream = {
  name: "openai",
  api: "OpenAI",
  placeholder: "placeholder-of-the-session",
  subscription: false,
  baseUrl: "http://127.0.0.1:1/openai",
};

/** What providers write before their harness runs, and where. */
const writes: Readonly<Record<string, (folder: string) => Promise<unknown>>> = {
  "home/.codex/config.toml": (folder) => prepareCodex(bareDeps(folder), upstream, ""),
  "home/.codex/skills": (folder) => prepareCodex(bareDeps(folder), upstream, ""),
  "home/.codex": (folder) => prepareCodex(bareDeps(folder), upstream, ""),
  "home/.config/opencode/opencode.json": (folder) => prepareOpenCode(bareDeps(folder), upstream, "a-model"),
  "home/.config/opencode/package-lock.json": (folder) => prepareOpenCode(bareDeps(folder), upstream, "a-model"),
  "home/.config/opencode": (folder) => prepareOpenCode(bareDeps(folder), upstream, "a-model"),
  "home/.cache/opencode-tmp": (folder) => prepareOpenCode(bareDeps(folder), upstream, "a-model"),
  "home/.claude/skills": (folder) => linkSkills(join(folder, "home/.claude"), [{ name: "cook", path: folder }]),
  "home/.claude": (folder) => linkSkills(join(folder, "home/.claude"), [{ name: "cook", path: folder }]),
};

describe("a provider that finds", { timeout: 20_000 }, () => {
  for (const [what, obstacle] of Object.entries(obstacles)) {
    for (const [place, write] of Object.entries(writes)) {
      it(`${what} at ${place} replaces it, or says what is in the way`, async () => {
        const folder = await mkdtemp(join(tmpdir(), "copepod-provider-"));
        try {
          await plant(join(folder, place), obstacle);
          const refusal = await write(folder).then(
            () => undefined,
            (error: unknown) => error,
          );
          if (refusal === undefined) assert.ok(await isPlain(join(folder, place)));
          else assert.ok(refusal instanceof CopepodError && refusal.message.includes("can't be written"));
        } finally {
          await rm(folder, { recursive: true, force: true });
        }
      });
    }

    it(`${what} in the place of a transcript archives nothing of it`, async () => {
      const folder = await mkdtemp(join(tmpdir(), "copepod-provider-"));
      try {
        await plant(join(folder, "transcript"), obstacle);
        await assert.rejects(archive(join(folder, "transcript"), "session", join(folder, "conversations")));
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  }
});

async function isPlain(path: string): Promise<boolean> {
  const stat = await lstat(path);
  return stat.isFile() || stat.isDirectory();
}
