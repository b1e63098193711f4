import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

interface Options {
  readonly kubectl: string;
  readonly kubeconfig: string;
  readonly namespace: string;
  /** Such as `service/name`. */
  readonly target: string;
  readonly port: number;
}

/** A way into the cluster's network, as a person has it. It is opened anew after it broke. */
export class Forward implements AsyncDisposable {
  readonly #options: Options;
  #child: ChildProcess | undefined;
  #url: Promise<string> | undefined;

  constructor(options: Options) {
    this.#options = options;
  }

  /** @throws Error when it can't be opened now */
  async url(): Promise<string> {
    if (this.#child?.exitCode !== null) this.#url = undefined;
    this.#url ??= this.#open();
    try {
      return await this.#url;
    } catch (error) {
      this.#url = undefined;
      throw error;
    }
  }

  /** kubectl does not always see that the other side is gone. */
  close(): void {
    this.#child?.kill("SIGKILL");
    this.#url = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child;
    this.close();
    if (child && child.exitCode === null && child.signalCode === null) await once(child, "exit");
  }

  async #open(): Promise<string> {
    const { kubectl, kubeconfig, namespace, target, port } = this.#options;
    const args = ["port-forward", `--kubeconfig=${kubeconfig}`, `--namespace=${namespace}`, target, `:${port}`];
    const child = spawn(kubectl, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    return await new Promise<string>((resolve, reject) => {
      let said = "";
      const hear = (text: string) => {
        said += text;
        const found = /Forwarding from 127\.0\.0\.1:(\d+)/.exec(said);
        if (found) resolve(`http://127.0.0.1:${found[1]}`);
      };
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", hear);
      child.once("error", reject);
      child.once("exit", () => reject(new Error(`no way to ${target}: ${said}`)));
    });
  }
}
