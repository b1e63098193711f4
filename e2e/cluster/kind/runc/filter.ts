import { z } from "zod";

const capabilitySets = ["bounding", "effective", "inheritable", "permitted", "ambient"] as const;
const unavailable = "CAP_SYS_RESOURCE";

const processSchema = z.looseObject({
  capabilities: z.partialRecord(z.enum(capabilitySets), z.array(z.string())).optional(),
});

/** `config.json` of a bundle holds a process, the file of `runc exec --process` is one. */
const bundleSchema = z.looseObject({ process: processSchema.optional() });

/** Takes CAP_SYS_RESOURCE out of a bundle's `config.json`: a machine without it can't give it to a container. */
export function filterBundle(text: string): string {
  const bundle = bundleSchema.parse(JSON.parse(text));
  return JSON.stringify({ ...bundle, ...(bundle.process && { process: allowed(bundle.process) }) });
}

/** The same for the file of `runc exec --process`. */
export const filterProcess = (text: string): string => JSON.stringify(allowed(processSchema.parse(JSON.parse(text))));

function allowed(process: z.infer<typeof processSchema>): object {
  const sets = Object.entries(process.capabilities ?? {}).map(([set, names]) => [
    set,
    names.filter((name) => name !== unavailable),
  ]);
  return { ...process, ...(process.capabilities && { capabilities: Object.fromEntries(sets) }) };
}

/** The value of an option in a call of runc, as the engine's containerd writes it. */
export function optionOf(args: readonly string[], name: "--bundle" | "--process"): string | undefined {
  const index = args.indexOf(name);
  return index === -1 ? undefined : args[index + 1];
}
