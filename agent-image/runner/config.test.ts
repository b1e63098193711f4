import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { environmentSchema, readConfig } from "./config.ts";

const least = {
  COPEPOD_PROXY_SOCKET: "/run/s/proxy.sock",
  COPEPOD_PLACEHOLDER: "0123456789abcdef",
  COPEPOD_WORKSPACE: "/workspace",
  COPEPOD_AGENT_DIR: "/agent",
};

describe("the runner's environment", () => {
  it("needs no more than the socket, the placeholder and two folders", () => {
    assert.deepEqual(readConfig(least), {
      proxySocket: "/run/s/proxy.sock",
      placeholder: "0123456789abcdef",
      workspace: "/workspace",
      agentDir: "/agent",
      teamDir: undefined,
      sandbox: "none",
      harnessesDir: undefined,
      logLevel: "info",
      endWithStdin: false,
      providerEnv: {
        PATH: "/usr/local/bin:/usr/bin:/bin",
        LANG: "C.UTF-8",
        HOME: "/workspace/home",
        COPEPOD_WORKSPACE: "/workspace",
        COPEPOD_AGENT_DIR: "/agent",
      },
    });
  });

  it("gives the provider's processes a list of variables, and no secret of the surroundings", () => {
    const env = { ...least, COPEPOD_INSTRUCTIONS_DIR: "/run/i", PATH: "/bin", HOME: "/root", AWS_SECRET: "canary" };
    const { providerEnv } = readConfig(env);
    assert.equal(providerEnv.COPEPOD_INSTRUCTIONS_DIR, "/run/i");
    assert.equal(providerEnv.HOME, "/workspace/home");
    assert.ok(!JSON.stringify(providerEnv).includes("canary"));
    assert.equal(providerEnv.COPEPOD_PLACEHOLDER, undefined);
  });

  it("names the variable that is missing or wrong", () => {
    assert.throws(() => readConfig({ ...least, COPEPOD_WORKSPACE: undefined }), /^CopepodError: COPEPOD_WORKSPACE: /);
    assert.throws(
      () => readConfig({ ...least, COPEPOD_PROXY_SOCKET: `/${"x".repeat(107)}` }),
      /COPEPOD_PROXY_SOCKET: /,
    );
  });

  it("describes each variable", () => {
    for (const [name, field] of Object.entries(environmentSchema.shape)) assert.ok(field.description, name);
  });
});
