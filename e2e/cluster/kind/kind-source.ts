import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { CopepodError } from "@copepod/core/errors";
import { z } from "zod";
import type { Cluster } from "../cluster.ts";
import { run } from "./run.ts";

const moduleFolder = join(import.meta.dirname, "../binaries/kind");
const downloadedSchema = z.object({ Dir: z.string() });

/** Names of images that a node of this version of kind expects to have, beside those of kubeadm. */
export interface KindImages {
  readonly pause: string;
  readonly network: string;
  readonly storageProvisioner: string;
  readonly storageHelper: string;
}

/** @returns the folder of kind's source, of the version that we have pinned */
export async function findKindSource({ signal }: Pick<Cluster, "signal">): Promise<string> {
  const output = await run(["go", "-C", moduleFolder, "mod", "download", "-json", "sigs.k8s.io/kind"], { signal });
  return downloadedSchema.parse(JSON.parse(output)).Dir;
}

export async function readKindImages(source: string): Promise<KindImages> {
  const recipe = join(source, "pkg/build/nodeimage");
  const [storage, network, containerd] = await Promise.all(
    [
      join(recipe, "const_storage.go"),
      join(recipe, "const_cni.go"),
      join(source, "images/base/files/etc/containerd/config.toml"),
    ].map((file) => readFile(file, "utf8")),
  );
  return {
    pause: constantOf("sandbox_image", containerd),
    network: constantOf("kindnetdImage", network),
    storageProvisioner: constantOf("storageProvisionerImage", storage),
    storageHelper: constantOf("storageHelperImage", storage),
  };
}

function constantOf(name: string, text = ""): string {
  const [, value] = new RegExp(`${name} = "([^"]+)"`).exec(text) ?? [];
  if (value !== undefined) return value;
  throw new CopepodError("internal", `the source of kind has no ${name}: this recipe is for another version of it`);
}
