/** The parts of undici that the proxy uses, loaded alone: the whole package takes 6 MB more in each session. */
declare module "undici/lib/dispatcher/pool.js" {
  export { Pool as default } from "undici";
}
declare module "undici/lib/core/connect.js" {
  export { buildConnector as default } from "undici";
}
