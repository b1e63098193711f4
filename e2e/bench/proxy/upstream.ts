import { createServer, type RequestListener } from "node:http";

/** Events of one stream, and the time between them. */
const eventCount = 20;
const eventEveryMs = 10;

const json = JSON.stringify({ model: "none", usage: { input_tokens: 1, output_tokens: 1 }, text: "x".repeat(440) });

/** A model API that costs next to nothing: `/json` answers at once, `/stream` with events that say when they were sent. */
const listener: RequestListener = (request, response) => {
  request.resume();
  request.once("end", () => {
    if (request.url === "/stream") {
      response.writeHead(200, { "content-type": "text/event-stream" });
      sendEvents(0);
    } else response.writeHead(200, { "content-type": "application/json", "content-length": json.length }).end(json);
  });
  const sendEvents = (sent: number) => {
    // The clock of the machine, which is the same in every process.
    response.write(`data: {"type":"content_block_delta","at":"${process.hrtime.bigint()}"}\n\n`);
    if (sent + 1 < eventCount) setTimeout(sendEvents, eventEveryMs, sent + 1);
    else response.end();
  };
};

const [socketPath] = process.argv.slice(2);
createServer({ keepAliveTimeout: 600_000 }, listener).listen(socketPath);
const tcp = createServer({ keepAliveTimeout: 600_000 }, listener).listen(0, "127.0.0.1", () => {
  const address = tcp.address();
  if (address !== null && typeof address !== "string") process.stdout.write(`${address.port}\n`);
});
