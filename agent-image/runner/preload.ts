import { preloadProviders } from "../providers/registry.ts";
import "./config.ts";
import "./loopback.ts";
import "./runner.ts";
import "./socket-fetch.ts";
import "./tools-server.ts";
import "./tools.ts";

// Loads what runners load, and ends. With a compile cache, Node then keeps all of it compiled, and sessions start from
// that.
await preloadProviders(process.argv[2]);
