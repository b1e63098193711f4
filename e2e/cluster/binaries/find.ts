import type { Say } from "../cluster.ts";
import type { Binaries, BinaryName } from "./catalogue.ts";

export interface FindOptions {
  readonly say: Say;
  readonly signal: AbortSignal;
}

/**
 * Programs of the versions that we have pinned: from $KUBEBUILDER_ASSETS or the PATH when their versions fit, else built
 * once from Go modules.
 * @throws CopepodError `notFound` when they would have to be built and Go is missing
 */
export async function findBinaries<Name extends BinaryName>(
  names: readonly Name[],
  _options: FindOptions,
): Promise<Binaries<Name>> {
  throw new Error(`not written yet: ${names.join(", ")}`);
}
