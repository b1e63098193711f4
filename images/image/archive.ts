import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { type Entry, file, text } from "../layers/entries.ts";
import { type Layer, type LayerStore, sha256 } from "../layers/layer.ts";
import { tarOf } from "../layers/tar.ts";
import { type Described, describeIndex } from "./manifest.ts";

export interface Archived {
  readonly described: Described;
  readonly layers: readonly Layer[];
  /** With host and tag. */
  readonly reference: string;
}

/**
 * One file that is an OCI layout and, by one more list, what `docker load` and kind read: of both they take the same blobs.
 */
export async function writeArchive(path: string, { described, layers, reference }: Archived, store: LayerStore) {
  const { config, manifest } = described;
  const blob = (digest: string) => `blobs/sha256/${digest}`;
  const configFile = blob(sha256(config));
  const forEngines = [{ Config: configFile, RepoTags: [reference], Layers: layers.map(({ digest }) => blob(digest)) }];
  const entries: Entry[] = [
    text("oci-layout", JSON.stringify({ imageLayoutVersion: "1.0.0" })),
    text("index.json", describeIndex(manifest, reference)),
    text("manifest.json", JSON.stringify(forEngines)),
    text(configFile, config),
    text(blob(sha256(manifest)), manifest),
    ...layers.map((layer) => file(blob(layer.digest), store.pathOf(layer))),
  ];
  const draft = `${path}.${randomUUID()}`;
  try {
    await pipeline(tarOf(entries), createWriteStream(draft));
    await rename(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
}
