import "./config.ts";
import "./connector.ts";
import "./forward.ts";
import "./front.ts";
import "./instructions.ts";
import "./relay.ts";
import "./rules-source.ts";
import "./server.ts";
import "./token.ts";
import "./upstream.ts";
import "./upstreams.ts";
import "./usage/report.ts";

// Loads what the proxy loads, and ends: with a compile cache, Node then keeps all of it compiled.
