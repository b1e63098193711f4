import type { ImagePlan } from "../catalogue.ts";
import { type Layer, sha256 } from "../layers/layer.ts";

const types = {
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar+gzip",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
} as const;

/** Content of a registry, named by its SHA-256. */
interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export interface Described {
  readonly config: string;
  readonly manifest: string;
  /** What a registry knows the image by, such as `sha256:…`. */
  readonly digest: string;
}

export interface ImageFacts {
  readonly plan: ImagePlan;
  readonly version: string;
  readonly layers: readonly Layer[];
  /** Of processors, in the words of container images. */
  readonly architecture: string;
}

/** What an image is, as registries and engines read it. There are no times: they would change its digest. */
export function describeImage({ plan, version, layers, architecture }: ImageFacts): Described {
  const config = JSON.stringify({
    architecture,
    os: "linux",
    created: new Date(0).toISOString(),
    config: {
      User: `${plan.user}:${plan.user}`,
      Entrypoint: plan.entrypoint,
      Env: Object.entries(plan.env).map(([name, value]) => `${name}=${value}`),
      WorkingDir: "/",
      Labels: {
        "org.opencontainers.image.title": plan.title,
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.licenses": "MIT",
      },
    },
    rootfs: { type: "layers", diff_ids: layers.map(({ plainDigest }) => `sha256:${plainDigest}`) },
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: types.manifest,
    config: blobOf(types.config, config),
    layers: layers.map(
      ({ digest, bytes }): Blob => ({ mediaType: types.layer, digest: `sha256:${digest}`, size: bytes }),
    ),
  });
  return { config, manifest, digest: `sha256:${sha256(manifest)}` };
}

const blobOf = (mediaType: string, content: string): Blob => ({
  mediaType,
  digest: `sha256:${sha256(content)}`,
  size: Buffer.byteLength(content),
});

/** The list of contents of an archive with one image. @param reference such as `host/name:tag` */
export const describeIndex = (manifest: string, reference: string): string =>
  JSON.stringify({
    schemaVersion: 2,
    mediaType: types.index,
    manifests: [
      {
        ...blobOf(types.manifest, manifest),
        annotations: {
          "io.containerd.image.name": reference,
          "org.opencontainers.image.ref.name": reference.slice(reference.lastIndexOf(":") + 1),
        },
      },
    ],
  });
