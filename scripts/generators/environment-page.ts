import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { listFiles, listWorkspaces, workspaceOf } from "../repository.ts";
import { code, pageHead, table } from "./markdown.ts";

export interface ProgramEnvironment {
  /** Folder of the program's workspace. */
  readonly program: string;
  readonly file: string;
  readonly schema: z.ZodObject;
}

/** What every `config.ts` says about the environment variables that it reads. */
export async function loadEnvironments(root: string): Promise<ProgramEnvironment[]> {
  const workspaces = listWorkspaces(root);
  const files = listFiles(root, ["/config.ts", "config.ts"]).filter((file) => file.endsWith("/config.ts"));
  const loaded = await Promise.all(
    files.map(async (file) => {
      const loadedModule: Record<string, unknown> = await import(pathToFileURL(join(root, file)).href);
      const schema = loadedModule.environmentSchema;
      const program = workspaceOf(file, workspaces)?.folder ?? file;
      return schema instanceof z.ZodObject ? [{ program, file, schema }] : [];
    }),
  );
  return loaded.flat();
}

/** The page about environment variables. @throws Error for a variable without a description */
export function environmentPage(environments: readonly ProgramEnvironment[]): string {
  return [
    ...pageHead("Environment variables", "the config.ts of each program"),
    "`copepod up` sets these for its children, except where a person sets them for it. Nothing else is read.",
    "",
    ...environments.flatMap(({ program, file, schema }) => [
      `## ${program}`,
      "",
      `Read by ${code(file)}.`,
      "",
      ...table(
        ["Variable", "Default", "Meaning"],
        Object.entries(schema.shape).map(([name, field]) => describeVariable(name, field)),
      ),
    ]),
  ].join("\n");
}

function describeVariable(name: string, field: z.core.$ZodType): string[] {
  const shape = z.toJSONSchema(field, { io: "input", unrepresentable: "any" });
  if (typeof shape.description !== "string") throw new Error(`${name}: the variable needs a description`);
  const isRequired = !z.safeParse(field, undefined).success;
  const choices = Array.isArray(shape.enum)
    ? ` One of ${shape.enum.map((value) => code(String(value))).join(", ")}.`
    : "";
  return [code(name), isRequired ? "required" : defaultText(shape.default), `${shape.description}${choices}`];
}

const defaultText = (value: unknown): string => (value === undefined ? "" : code(String(value)));
