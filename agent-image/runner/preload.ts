import { untilOrphaned } from "@copepod/core/lifetime";
import { preloadProviders } from "../providers/registry.ts";
import "./config.ts";
import "./loopback.ts";
import "./runner.ts";
import "./socket-fetch.ts";
import "./tools-server.ts";
import "./tools.ts";

// Loads what runners load, and ends. With a compile cache, Node then keeps all of it compiled, and sessions start from
// that. Without its parent it ends at once, and keeps nothing in a home that may be gone.
const orphaned = untilOrphaned(process.stdin);
const end = () => process.kill(process.pid, "SIGKILL");
orphaned.addEventListener("abort", end);
await preloadProviders(process.argv[2]);
orphaned.removeEventListener("abort", end);
process.stdin.destroy();
