import type { Package } from "../layers/layer.ts";

export interface Bill {
  /** Of the image, without its tag. */
  readonly name: string;
  readonly version: string;
  readonly digest: string;
  readonly packages: readonly Package[];
}

/** What the image is made of, in the JSON form of CycloneDX. The same image, the same bytes. */
export function billOfMaterials({ name, version, digest, packages }: Bill): string {
  const byPurl = new Map(packages.map((each) => [each.purl, each]));
  const sorted = [...byPurl.values()].sort((a, b) => (a.purl < b.purl ? -1 : 1));
  const bill = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: { component: { type: "container", "bom-ref": digest, name, version } },
    components: sorted.map(({ purl, name, version }) => ({ type: "library", "bom-ref": purl, name, version, purl })),
  };
  return `${JSON.stringify(bill, undefined, 2)}\n`;
}
