import { CopepodError } from "@copepod/core/errors";
import { blobSchema } from "@copepod/core/files";
import { maxFileBytes } from "@copepod/core/limits";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { BlobStore } from "../blobs/blob-store.ts";
import { fileTooLarge } from "../blobs/uploads.ts";
import { bearerOf, streamType } from "./listener.ts";

export interface BlobRoutes<Caller> {
  readonly path: string;
  readonly blobs: Pick<BlobStore, "put" | "open">;
  /** @throws CopepodError when the request may not be served at all. */
  readonly authenticate: (bearer: string | undefined) => Promise<Caller>;
  /** Session that sends; undefined = the owner. */
  readonly sessionOf: (caller: Caller) => string | undefined;
  readonly maySee: (caller: Caller, blob: string) => Promise<boolean>;
}

/** Files go beside the tables of endpoints, since they are streams: `PUT <path>`, `GET <path>/<hash>`. */
export function addBlobRoutes<Caller>(app: FastifyInstance, routes: BlobRoutes<Caller>): void {
  const { path, blobs, authenticate, sessionOf, maySee } = routes;
  // A scope of its own: other routes take no streams.
  app.register((scope, _options, done) => {
    scope.addContentTypeParser(streamType, (_request, payload, parsed) => parsed(null, payload));
    scope.put(path, async (request) => {
      const caller = await authenticate(bearerOf(request));
      if (Number(request.headers["content-length"] ?? 0) > maxFileBytes) throw fileTooLarge();
      return await blobs.put(bodyOf(request), sessionOf(caller));
    });
    scope.get(`${path}/:blob`, async (request, reply) => {
      const caller = await authenticate(bearerOf(request));
      const { blob } = request.params as { blob: string };
      const isKnown = blobSchema.safeParse(blob).success && (await maySee(caller, blob));
      if (!isKnown) throw new CopepodError("notFound", "there is no such file, or it is not yours to see");
      const { bytes, stream } = await blobs.open(blob);
      return reply.header("content-type", streamType).header("content-length", bytes).send(stream);
    });
    done();
  });
}

function bodyOf(request: FastifyRequest) {
  if (request.headers["content-type"] === streamType) return request.raw;
  throw new CopepodError("invalid", `the body must be sent as ${streamType}`);
}
