import { QueueWorld, TestClock } from "../contract/testing.ts";
import { openSqliteQueue } from "./open-sqlite-queue.ts";

/** The body of a child process that writes until it is killed, and reports each row after its commit. */
async function write(path: string): Promise<void> {
  const clock = new TestClock();
  const store = await openSqliteQueue({ path, clock, thread: "worker", log: { info() {}, error() {} } });
  const queue = { store, reopen: () => Promise.resolve(store), [Symbol.asyncDispose]: () => Promise.resolve() };
  const world = await new QueueWorld(queue, clock).prepare(true);
  for (let round = 0; ; round++) {
    const texts = Array.from({ length: 8 }, (_, index) => `${process.pid} ${round} ${index}`);
    await Promise.all(
      texts.map(async (text, index) => {
        await world.say(text, { session: `default/${index}`, key: text });
        process.stdout.write(`${text}.\n`);
      }),
    );
  }
}

await write(process.argv[2] ?? "");
