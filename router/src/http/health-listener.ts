import fastify, { type FastifyInstance } from "fastify";
import { addHealthRoutes, addMetricsRoute } from "./health.ts";

/** For probes and Prometheus, which send nothing and wait for little. */
const requestTimeoutMs = 10_000;
const maxConnections = 100;

/** Health and metrics on a port of their own, without authentication: neither names a person or a session. */
export function buildHealthListener(deps: {
  readonly notReady: () => readonly string[];
  readonly render: () => Promise<string>;
}): FastifyInstance {
  const app = fastify({ requestTimeout: requestTimeoutMs, bodyLimit: 1, forceCloseConnections: true });
  app.server.maxConnections = maxConnections;
  addHealthRoutes(app, deps.notReady);
  addMetricsRoute(app, deps.render);
  return app;
}
