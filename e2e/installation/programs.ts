import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
  /** Its progress goes on to standard error. */
  readonly tell?: boolean;
}

export interface Answer {
  readonly code: number | null;
  readonly output: string;
  readonly complaint: string;
}

export async function run({ program, args, env = process.env, input = "", tell = false }: Command): Promise<Answer> {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], env });
  if (tell) child.stderr.pipe(process.stderr, { end: false });
  child.stdin.on("error", () => undefined).end(input);
  const [output, complaint, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code, output, complaint };
}

/** @throws Error with what the command complained of */
export async function outputOf(command: Command): Promise<string> {
  const { code, output, complaint } = await run(command);
  if (code !== 0) throw new Error(`${command.program} ${command.args.join(" ")}: ${complaint || output}`);
  return output;
}
