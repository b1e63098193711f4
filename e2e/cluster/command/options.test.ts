import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Invocation, parseInvocation, UsageError } from "./options.ts";

const up = { kind: "up", name: "copepod", wish: undefined, install: false } as const;

const accepted: Readonly<Record<string, Invocation>> = {
  up,
  "up --name two --install": { ...up, name: "two", install: true },
  "up --provider kind": { ...up, wish: { provider: "kind", ownEngine: false } },
  "up --provider kind --own-engine": { ...up, wish: { provider: "kind", ownEngine: true } },
  "up --own-engine": { ...up, wish: { provider: "kind", ownEngine: true } },
  "up --provider native": { ...up, wish: { provider: "native", ownEngine: false } },
  "up --control-plane": { ...up, wish: { provider: "control-plane", ownEngine: false } },
  "up --kubeconfig a/b": { ...up, wish: { provider: "kubeconfig", ownEngine: false, kubeconfig: "a/b" } },
  "down --name a-1": { kind: "down", name: "a-1" },
  status: { kind: "status", name: undefined, asJson: false },
  "status --name two -o json": { kind: "status", name: "two", asJson: true },
  "load image.tar": { kind: "load", name: "copepod", image: "image.tar" },
  "--name two exec -- kubectl get pods -o wide": {
    kind: "exec",
    name: "two",
    command: ["kubectl", "get", "pods", "-o", "wide"],
  },
  "exec -- sh -c --help": { kind: "exec", name: "copepod", command: ["sh", "-c", "--help"] },
  "up --help": { kind: "help" },
};

const refused: Readonly<Record<string, RegExp>> = {
  "": /a command is missing: up, down, status, load, exec/,
  start: /no command “start”/,
  constructor: /no command “constructor”/,
  "up now": /“now” is too much/,
  "up --fast": /--fast/,
  "up --provider docker": /kind or native/,
  "up --provider native --control-plane": /one of --provider, --control-plane and --kubeconfig/,
  "up --control-plane --kubeconfig a": /one of/,
  "up --provider native --own-engine": /--own-engine is for --provider kind/,
  "up --control-plane --own-engine": /--own-engine is for --provider kind/,
  "down --install": /down has no option --install/,
  "status -o yaml": /json only/,
  load: /load takes an image/,
  "load a b": /“b” is too much/,
  "exec kubectl get pods -o wide": /exec takes its command after --, as in/,
  exec: /exec takes a command/,
  "exec --name two --": /exec takes a command/,
};

describe("the command line of the cluster tool", () => {
  for (const [line, invocation] of Object.entries(accepted)) {
    it(`takes “${line}”`, () => assert.deepEqual(parseInvocation(line.split(" ")), invocation));
  }

  for (const [line, message] of Object.entries(refused)) {
    it(`refuses “${line}” and says why`, () => {
      const words = line.split(" ").filter((word) => word !== "");
      assert.throws(
        () => parseInvocation(words),
        (error) => error instanceof UsageError && message.test(error.message) && error.message.endsWith("see --help"),
      );
    });
  }

  for (const name of ["Two", "two_2", "-two", "two-", "a.b", "../two", "twenty-one-letters-xx", ""]) {
    it(`refuses the name “${name}”`, () => {
      assert.throws(() => parseInvocation(["down", `--name=${name}`]), /can't name a cluster/);
    });
  }
});
