import "./config.ts";
import "./front/front.ts";
import "./front/server.ts";
import "./health/health.ts";
import "./mailbox/instructions.ts";
import "./mailbox/relay.ts";
import "./mailbox/router-client.ts";
import "./mailbox/token.ts";
import "./model/forward.ts";
import "./network/open-pool.ts";
import "./network/resolve.ts";
import "./network/upstreams.ts";
import "./rules/rules-source.ts";
import "./usage/report.ts";

// Loads what the proxy loads, and ends: with a compile cache, Node then keeps all of it compiled.
