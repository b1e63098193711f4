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

/** Files that a call of runc reads, by what is in them. */
export function filesOf(args: readonly string[]): { readonly bundle?: string; readonly process?: string } {
  const bundle = argumentOf(args, ["--bundle", "-b"]);
  const process = argumentOf(args, ["--process", "-p"]);
  return { ...(bundle === undefined ? {} : { bundle }), ...(process === undefined ? {} : { process }) };
}

function argumentOf(args: readonly string[], names: readonly string[]): string | undefined {
  for (const [index, arg] of args.entries()) {
    if (names.includes(arg)) return args[index + 1];
    const name = names.find((candidate) => arg.startsWith(`${candidate}=`));
    if (name !== undefined) return arg.slice(name.length + 1);
  }
  return undefined;
}
