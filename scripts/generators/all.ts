import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { errorCatalogue } from "@copepod/core/errors";
import type { Definition } from "@copepod/crds/definition";
import { crdFileName, crdYaml } from "@copepod/crds/generator/crd";
import { resourcesMarkdown } from "@copepod/crds/generator/reference";
import { definitions } from "@copepod/crds/kinds";
import { readText } from "../repository.ts";
import { apiPage } from "./api-page.ts";
import { chartPages } from "./chart-pages.ts";
import { cliPage, loadProgram } from "./cli-page.ts";
import { crdTemplates } from "./crd-chart.ts";
import { environmentPage, loadEnvironments } from "./environment-page.ts";
import { errorsPage } from "./errors-page.ts";
import { fillPackageGraph } from "./package-graph.ts";

/** Folders in which nothing but generated files lies. */
export const generatedFolders = ["charts/copepod-crds/templates", "crds/generated", "docs/reference"] as const;

const architecturePage = "docs/architecture.md";

/** Every generated file, by path. Reads the repository and writes nothing. */
export async function generateAll(root: string): Promise<Map<string, string>> {
  return new Map([
    ...definitions.map((one): [string, string] => [`crds/generated/${crdFileName(one)}`, crdYaml(one)]),
    ...crdTemplates(definitions),
    ...chartPages(root),
    ["docs/reference/resources.md", resourcesMarkdown(definitions, readSamples(root))],
    ["docs/reference/errors.md", errorsPage(errorCatalogue)],
    ["docs/reference/api.md", apiPage()],
    ["docs/reference/environment.md", environmentPage(await loadEnvironments(root))],
    ["docs/reference/cli.md", cliPage(await loadProgram())],
    [architecturePage, fillPackageGraph(root, readText(root, architecturePage))],
  ]);
}

function readSamples(root: string): Map<string, string> {
  return new Map(
    definitions.flatMap((one): [string, string][] => {
      const path = join(root, "crds/samples", sampleName(one));
      return existsSync(path) ? [[one.kind, readFileSync(path, "utf8")]] : [];
    }),
  );
}

/** `AgentGroup` → `agent-group.yaml`. */
const sampleName = ({ kind }: Definition): string =>
  `${kind.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => `-${letter}`).toLowerCase()}.yaml`;
