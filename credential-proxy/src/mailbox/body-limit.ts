import { type Readable, Transform } from "node:stream";

/** The same bytes, as far as there are not too many; then both streams end with the error. */
export function limitBody(body: Readable, maxBytes: number, toError: () => Error): Transform {
  let bytes = 0;
  const limited = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > maxBytes) done(toError());
      else done(null, chunk);
    },
  });
  body.once("error", (error) => limited.destroy(error));
  body.once("close", () => {
    if (!body.readableEnded) limited.destroy(new Error("the caller has gone"));
  });
  return body.pipe(limited);
}
