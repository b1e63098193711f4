import type { FastifyInstance } from "fastify";

/** `/livez`: the process answers. `/readyz`: it can do its work, else 503 with the reasons. */
export function addHealthRoutes(app: FastifyInstance, notReady: () => readonly string[]): void {
  app.get("/livez", async () => ({ live: true }));
  app.get("/readyz", async (_request, reply) => {
    const reasons = notReady();
    return await reply.code(reasons.length === 0 ? 200 : 503).send({ ready: reasons.length === 0, reasons });
  });
}

export function addMetricsRoute(app: FastifyInstance, render: () => Promise<string>): void {
  app.get("/metrics", async (_request, reply) => {
    return await reply.type("text/plain; version=0.0.4; charset=utf-8").send(await render());
  });
}
