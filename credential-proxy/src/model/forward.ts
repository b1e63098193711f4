import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CopepodError, codeOf } from "@copepod/core/errors";
import type { UsageEntry } from "@copepod/core/mailbox-api";
import { nameSchema } from "@copepod/core/messages";
import type { Rule } from "@copepod/core/proxy-rules";
import type { Logger } from "pino";
import type { Target } from "../front/gate.ts";
import { answerError } from "../front/refusal.ts";
import { createSecretSource, type Injection, type SecretSource } from "../keys/secret-source.ts";
import type { ProxyLimits } from "../limits.ts";
import type { Upstreams } from "../network/upstreams.ts";
import type { RuleTable } from "../rules/rules.ts";
import { costMicros } from "../usage/prices.ts";
import { noCounts } from "../usage/scan.ts";
import { type Decision, decide } from "./decide.ts";
import { Exchange, type Outcome } from "./exchange.ts";
import { failureCode, toRefusal } from "./failure.ts";
import { RequestBody } from "./request-body.ts";

/** A connection that could not be made is tried once more, after this. */
const retryPauseMs = 100;

export interface ForwardDeps {
  /** The rules in force. */
  readonly rules: { readonly current: RuleTable };
  /** One folder per secret, one file per key. */
  readonly keysDir: string;
  readonly isPlaceholder: (credential: string, value: string) => boolean;
  readonly upstreams: Upstreams;
  readonly limits: ProxyLimits;
  readonly recordUsage: (entry: UsageEntry) => void;
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
  readonly log: Logger;
}

/** A request on its way to a model API. */
interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly decision: Decision;
  readonly body: RequestBody;
  readonly secret: SecretSource | undefined;
  readonly startedAt: number;
}

export type Forward = (
  request: IncomingMessage,
  response: ServerResponse,
  context: { readonly target: Target; readonly requestId: string },
) => void;

/** Hands requests to the model APIs, with the key in the place of the placeholder. */
export function createForward(deps: ForwardDeps): Forward {
  const { limits } = deps;
  const kept = { freeBytes: limits.maxKeptBytes };
  const secrets = new WeakMap<Rule, SecretSource>();
  let running = 0;

  const secretOf = ({ rule, method }: Decision): SecretSource | undefined => {
    if (!rule.secret || method === "OPTIONS") return undefined;
    const known = secrets.get(rule);
    if (known) return known;
    const source = createSecretSource(join(deps.keysDir, rule.secret.name, rule.secret.key), rule, deps.now);
    secrets.set(rule, source);
    return source;
  };

  return (request, response, { target, requestId }) => {
    if (running >= limits.maxModelRequests) throw tooMany(limits.maxModelRequests);
    const decision = decide(request, target, { table: deps.rules.current, isPlaceholder: deps.isPlaceholder });
    const body = new RequestBody(request, { limits, kept });
    const call = { request, response, requestId, decision, body, secret: secretOf(decision), startedAt: deps.now() };
    running++;
    if (request.headers.expect !== undefined) response.writeContinue();
    start(call, deps, () => {
      running--;
      body.forget();
      // What the client still sends has nowhere to go.
      request.resume();
    });
  };
}

function start(call: Call, deps: ForwardDeps, done: () => void): void {
  const run = (injection: Injection | undefined) =>
    call.body.whenReady(() => attempt({ call, deps, done, injection, isFirst: true }));
  const { secret } = call;
  if (!secret || secret.fresh) {
    run(secret?.fresh);
    return;
  }
  secret.read().then(run, (error: unknown) => {
    refuse(call, deps, error);
    done();
  });
}

interface Attempt {
  readonly call: Call;
  readonly deps: ForwardDeps;
  readonly done: () => void;
  readonly injection: Injection | undefined;
  readonly isFirst: boolean;
}

function attempt(one: Attempt): void {
  const { call, deps, injection, isFirst } = one;
  const { decision, body, secret } = call;
  if (body.failure || call.response.destroyed) {
    end(one, undefined, { kind: "failed", error: body.failure });
    return;
  }
  let other: Injection | undefined;
  const hasOtherKey = async (): Promise<boolean> => {
    other = await secret?.read();
    return body.canReplay && other?.value !== injection?.value;
  };
  const exchange = new Exchange({
    response: call.response,
    injection,
    limits: deps.limits,
    hasOtherKey: secret && isFirst ? hasOtherKey : undefined,
    onBegin: () => body.forget(),
    onEnd: (outcome) => {
      if (outcome.kind === "rejected") attempt({ ...one, injection: other, isFirst: false });
      else end(one, exchange, outcome);
    },
  });
  const { method, path, route } = decision;
  const request = { method, path, headers: toHeaders(call, injection), body: body.open() };
  deps.upstreams.dispatch(route, request, exchange);
}

function toHeaders({ decision, body }: Call, injection: Injection | undefined): string[] {
  const headers = [...decision.headers, "accept-encoding", "identity"];
  if (injection) headers.push(injection.header, injection.value);
  if (body.length !== undefined && body.length > 0) headers.push("content-length", String(body.length));
  return headers;
}

function end(one: Attempt, exchange: Exchange | undefined, outcome: Outcome): void {
  const { call, deps, isFirst, done } = one;
  if (outcome.kind === "failed" && isFirst && mayRepeat(call, exchange, outcome.error)) {
    void delay(retryPauseMs).then(() => attempt({ ...one, isFirst: false }));
    return;
  }
  if (outcome.kind === "failed") refuse(call, deps, call.body.failure ?? outcome.error);
  if (exchange?.hasStarted) record(call, deps, exchange);
  done();
}

/** Only where nothing can have reached the upstream. */
const mayRepeat = ({ body, response }: Call, exchange: Exchange | undefined, error: unknown): boolean =>
  exchange !== undefined &&
  !exchange.hasStarted &&
  body.canReplay &&
  !response.destroyed &&
  !(error instanceof CopepodError);

function refuse({ request, response, requestId, decision }: Call, deps: ForwardDeps, error: unknown): void {
  const refusal = toRefusal(error);
  const { route, method } = decision;
  const line = {
    code: codeOf(refusal),
    reason: failureCode(error),
    credential: route.upstream.name,
    method,
    requestId,
  };
  deps.log[response.destroyed ? "debug" : "info"](line, "request not answered by its model API");
  answerError(request, response, { error: refusal, requestId });
}

function record({ decision, startedAt, requestId }: Call, deps: ForwardDeps, { status, usage }: Exchange): void {
  const counts = usage?.counts() ?? noCounts;
  const credential = decision.route.upstream.name;
  const durationMs = Math.round(deps.now() - startedAt);
  deps.log.debug({ credential, method: decision.method, status, durationMs, requestId }, "request forwarded");
  if (decision.method !== "POST") return;
  const model = nameSchema.safeParse(counts.model).success ? counts.model : noCounts.model;
  const cost = costMicros(counts);
  deps.recordUsage({
    ...counts,
    id: randomUUID(),
    credential,
    model,
    status,
    durationMs,
    ...(cost === undefined ? {} : { costMicros: cost }),
  });
}

const tooMany = (most: number): CopepodError =>
  new CopepodError("unavailable", `more than ${most} requests to model APIs at the same time`);
