/** Programs for `node --eval`. Each ends with 0 when what it tries has worked. Arguments stand in `process.argv` from 1 on. */

/** Connects by TCP: `<host> <port>`. */
export const connects = `const [, host, port] = process.argv;
const socket = require("node:net").connect({ host, port: Number(port) });
socket.setTimeout(2500, () => process.exit(1)).once("error", () => process.exit(1)).once("connect", () => process.exit(0));`;

/** Reads a file or lists a folder. */
export const reads = `const { readFileSync, readdirSync, statSync } = require("node:fs");
const [, path] = process.argv;
try {
  if (statSync(path).isDirectory() ? readdirSync(path).length === 0 : readFileSync(path).length === 0) process.exit(1);
} catch { process.exit(1); }`;

/** Writes a file. */
export const writes = `try { require("node:fs").writeFileSync(process.argv[1], "x"); } catch { process.exit(1); }`;

/** Finds a text in the environment or the command line of any process. */
export const findsInProcesses = `const { readFileSync, readdirSync } = require("node:fs");
const [, wanted, place] = process.argv;
const seen = (pid) => { try { return readFileSync("/proc/" + pid + "/" + place, "latin1"); } catch { return ""; } };
const own = String(process.pid);
process.exit(readdirSync("/proc").some((pid) => /^[0-9]+$/.test(pid) && pid !== own && seen(pid).includes(wanted)) ? 0 : 1);`;

/** Resolves a name of the cluster. */
export const resolves = `require("node:dns").lookup(process.argv[1], (error) => process.exit(error ? 1 : 0));`;
