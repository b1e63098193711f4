import type { ServerResponse } from "node:http";
import { CopepodError } from "@copepod/core/errors";
import type { Dispatcher } from "undici";
import { EchoScan } from "../keys/echo-scan.ts";
import type { Injection } from "../keys/secret-source.ts";
import type { ProxyLimits } from "../limits.ts";
import { createUsageScan, type UsageScan } from "../usage/scan.ts";
import { type AnswerHead, readAnswerHead } from "./answer-head.ts";

/** How an attempt to get an answer went. */
export type Outcome =
  /** The answer has begun, and ended or broken off there. */
  | { readonly kind: "answered" }
  /** Nothing has gone to the client yet. */
  | { readonly kind: "failed"; readonly error: unknown }
  /** The upstream does not take the key, and nothing has gone to the client yet. */
  | { readonly kind: "rejected" };

export interface ExchangeDeps {
  readonly response: ServerResponse;
  readonly injection: Injection | undefined;
  readonly limits: Pick<ProxyLimits, "maxInformational">;
  /** Asked once when the upstream does not take the key: whether there is another to try. */
  readonly hasOtherKey: (() => Promise<boolean>) | undefined;
  /** The answer is going to the client: the request will not be repeated. */
  readonly onBegin: () => void;
  readonly onEnd: (outcome: Outcome) => void;
}

/** One attempt: carries the upstream's answer to the client as it comes. */
export class Exchange implements Dispatcher.DispatchHandler {
  /** 0 = no answer has begun. */
  status = 0;
  usage: UsageScan | undefined;
  readonly #deps: ExchangeDeps;
  readonly #echo: EchoScan | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #head: AnswerHead | undefined;
  #informational = 0;
  #hasEnded = false;
  readonly #onDrain = () => this.#controller?.resume();
  readonly #onClose = () => this.abort(new Error("the client has gone"));

  constructor(deps: ExchangeDeps) {
    this.#deps = deps;
    this.#echo = deps.injection?.needles.spellings.length ? new EchoScan(deps.injection.needles) : undefined;
    deps.response.on("drain", this.#onDrain);
    deps.response.on("close", this.#onClose);
  }

  /** Whether the request has begun to go out: before that, there was no connection. */
  get hasStarted(): boolean {
    return this.#controller !== undefined;
  }

  /** Ends the attempt; what has gone to the client stays as it is. */
  abort(reason: Error): void {
    if (this.#hasEnded) return;
    if (this.#controller) this.#controller.abort(reason);
    else this.#end({ kind: "failed", error: reason });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#hasEnded) controller.abort(new Error("the client has gone"));
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200) {
      if (++this.#informational > this.#deps.limits.maxInformational) {
        controller.abort(new CopepodError("upstreamFailed", "the model API sent too many interim answers"));
      }
      return;
    }
    this.status = status;
    const { rawHeaders } = controller;
    const head = readAnswerHead(status, Array.isArray(rawHeaders) ? rawHeaders : []);
    if (status === 401 && this.#deps.hasOtherKey) this.#askForOtherKey(this.#deps.hasOtherKey, controller, head);
    else this.#begin(controller, head);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#hasEnded) return;
    this.usage?.push(chunk);
    const passed = this.#echo ? this.#echo.push(chunk) : chunk;
    if (passed === undefined) this.#stop(controller, echoed());
    else if (passed.length > 0) this.#write(controller, passed);
  }

  onResponseEnd(): void {
    if (this.#hasEnded) return;
    this.#writeHead();
    this.#deps.response.end(this.#echo?.end());
    this.#end({ kind: "answered" });
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.#hasEnded) return;
    if (this.#deps.response.headersSent) {
      // Only a broken connection says that the answer is not whole.
      this.#deps.response.destroy();
      this.#end({ kind: "answered" });
    } else this.#end({ kind: "failed", error });
  }

  #write(controller: Dispatcher.DispatchController, bytes: Buffer): void {
    this.#writeHead();
    if (!this.#deps.response.write(bytes)) controller.pause();
  }

  #askForOtherKey(ask: () => Promise<boolean>, controller: Dispatcher.DispatchController, head: AnswerHead): void {
    controller.pause();
    ask()
      .catch(() => false)
      .then((hasOther) => {
        if (this.#hasEnded) return;
        if (!hasOther) {
          this.#begin(controller, head);
          return controller.resume();
        }
        this.#end({ kind: "rejected" });
        controller.abort(new Error("asked again with another key"));
      })
      .catch((error: Error) => this.#stop(controller, error));
  }

  #begin(controller: Dispatcher.DispatchController, head: AnswerHead): void {
    const refusal = this.#judge(head);
    if (refusal) {
      this.#stop(controller, refusal);
      return;
    }
    this.#deps.onBegin();
    this.#head = head;
    this.usage = createUsageScan(head.contentType);
    // Clients wait for the head of a stream; that of any other answer leaves together with its first part.
    if (head.contentType.startsWith("text/event-stream")) this.#writeHead(true);
  }

  #judge({ status, headers, isEncoded }: AnswerHead): CopepodError | undefined {
    const { injection } = this.#deps;
    if (injection && headers.some((text) => injection.needles.isIn(text))) return echoed();
    if (injection && status === 206) return partial();
    return this.#echo && isEncoded ? encoded() : undefined;
  }

  #writeHead(flush = false): void {
    const { response } = this.#deps;
    if (!this.#head || response.headersSent) return;
    response.writeHead(this.#head.status, [...this.#head.headers]);
    if (flush) response.flushHeaders();
  }

  #stop(controller: Dispatcher.DispatchController, error: Error): void {
    controller.abort(error);
    this.onResponseError(controller, error);
  }

  #end(outcome: Outcome): void {
    this.#hasEnded = true;
    this.#deps.response.off("drain", this.#onDrain);
    this.#deps.response.off("close", this.#onClose);
    this.#deps.onEnd(outcome);
  }
}

const echoed = (): CopepodError =>
  new CopepodError("secretEchoed", "the answer held the key itself, so the proxy withheld it");

const partial = (): CopepodError =>
  new CopepodError("upstreamFailed", "the model API answered with a part although it was asked for the whole");

const encoded = (): CopepodError =>
  new CopepodError("upstreamFailed", "the model API compressed its answer although it was asked not to");
