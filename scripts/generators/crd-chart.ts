import type { Definition } from "@copepod/crds/definition";
import { crdFileName, crdYaml } from "@copepod/crds/generator/crd";

/** The kinds as templates of their chart, by path. */
export const crdTemplates = (definitions: readonly Definition[]): [string, string][] =>
  definitions.map((one) => [`charts/copepod-crds/templates/${crdFileName(one)}`, crdTemplate(crdYaml(one))]);

const keepAnnotation = ["{{- if .Values.keep }}", "annotations:", "  helm.sh/resource-policy: keep", "{{- end }}"];

/** @throws Error for a CRD without a name in the usual place */
export function crdTemplate(yaml: string): string {
  const escaped = yaml.replaceAll(/\{\{|\}\}/g, (braces) => `{{ ${JSON.stringify(braces)} }}`);
  const head = /^metadata:\n {2}name: .*\n/m.exec(escaped);
  if (!head) throw new Error("the CRD has no metadata.name");
  const end = head.index + head[0].length;
  const lines = keepAnnotation.map((line) => `  ${line}`);
  return `${escaped.slice(0, end)}${lines.join("\n")}\n${escaped.slice(end)}`;
}
