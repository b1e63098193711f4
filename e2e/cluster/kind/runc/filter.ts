import { z } from "zod";

const capabilitySets = ["bounding", "effective", "inheritable", "permitted", "ambient"] as const;
const unavailable = "CAP_SYS_RESOURCE";

const processSchema = z.looseObject({
  capabilities: z.partialRecord(z.enum(capabilitySets), z.array(z.string())).optional(),
  oomScoreAdj: z.number().optional(),
});

/** `config.json` of a bundle holds a process, the file of `runc exec --process` is one. */
const bundleSchema = z.looseObject({ process: processSchema.optional() });

/** Takes from a bundle's `config.json` what a machine without CAP_SYS_RESOURCE refuses. */
export function filterBundle(text: string): string {
  const bundle = bundleSchema.parse(JSON.parse(text));
  return JSON.stringify({ ...bundle, ...(bundle.process && { process: allowed(bundle.process) }) });
}

/** The same for the file of `runc exec --process`. */
export const filterProcess = (text: string): string => JSON.stringify(allowed(processSchema.parse(JSON.parse(text))));

function allowed({ capabilities, oomScoreAdj, ...rest }: z.infer<typeof processSchema>): object {
  const sets = Object.entries(capabilities ?? {}).map(([set, names]) => [
    set,
    names.filter((name) => name !== unavailable),
  ]);
  return {
    ...rest,
    ...(capabilities && { capabilities: Object.fromEntries(sets) }),
    // Without the capability a process can raise its score, but not lower it.
    ...(oomScoreAdj === undefined ? {} : { oomScoreAdj: Math.max(0, oomScoreAdj) }),
  };
}

/** The value of an option in a call of runc, as the engine's containerd writes it. */
export function optionOf(args: readonly string[], name: "--bundle" | "--process"): string | undefined {
  const index = args.indexOf(name);
  return index === -1 ? undefined : args[index + 1];
}
