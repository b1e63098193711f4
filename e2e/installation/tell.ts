import { after, before, describe } from "node:test";
import type { StageOptions } from "../cluster/testing/stage.ts";
import { tellStories } from "../stories/stories.ts";
import type { Cannot } from "./cannot.ts";
import { ClusterSystem } from "./cluster-system.ts";
import { Installation } from "./installation.ts";
import { tellFailures } from "./tell-failures.ts";
import { tellFirst } from "./tell-first.ts";
import { tellHarnesses } from "./tell-harnesses.ts";
import { tellSecurity } from "./tell-security.ts";
import { tellUninstall, tellUpgrades } from "./tell-upgrades.ts";
import { tellWorkspaces } from "./tell-workspaces.ts";

/** All that is told of Copepod in a cluster. One installation serves all: making a cluster takes longer than a story. */
export function tellInstallation(options: StageOptions, skip: string | false, cannot: Cannot = {}): void {
  describe(`Copepod on ${options.provider}`, { skip }, () => {
    let installation: Installation | undefined;
    const its = (): Installation => {
      if (!installation) throw new Error("the cluster was not made");
      return installation;
    };
    before(async () => {
      installation = await Installation.create(options);
      await installation.install();
    });
    after(async () => await installation?.[Symbol.asyncDispose]());

    tellFirst(its);
    tellHarnesses(its);
    tellStories((resources) => ClusterSystem.start(its(), resources));
    tellWorkspaces(its, cannot);
    tellSecurity(its, cannot);
    tellFailures(its, cannot);
    tellUpgrades(its);
    tellUninstall(its);
  });
}
