import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { imageNames } from "./catalogue.ts";
import { parseInvocation } from "./options.ts";

const plain = { registry: "localhost", unlocked: false, asJson: false };

describe("the command line of images", () => {
  it("takes all images when none is named", () => {
    assert.deepEqual(parseInvocation(["build"]), { kind: "build", images: imageNames, ...plain });
  });

  it("takes some, their registry, and where they go", () => {
    assert.deepEqual(
      parseInvocation(["load", "router", "--cluster", "two", "--registry", "host/path", "--unlocked", "-o", "json"]),
      {
        ...plain,
        kind: "load",
        images: ["router"],
        cluster: "two",
        registry: "host/path",
        unlocked: true,
        asJson: true,
      },
    );
    assert.deepEqual(parseInvocation(["unpack", "agent", "folder"]), {
      ...plain,
      ...{ kind: "unpack", image: "agent", folder: "folder" },
    });
  });

  it("refuses what it does not know", () => {
    for (const [args, message] of [
      [[], /a command is missing/],
      [["paint"], /no command “paint”/],
      [["build", "painter"], /no image “painter”; there are: router/],
      [["build", "--cluster", "two"], /--cluster is an option of load/],
      [["build", "-o", "yaml"], /json only/],
      [["unpack", "agent"], /an image and a folder/],
    ] as const)
      assert.throws(() => parseInvocation(args), message);
  });
});
