import { z } from "zod";
import { type Client, endpoint } from "./endpoint.ts";
import { nameSchema } from "./messages.ts";
import { modelApis } from "./proxy-rules.ts";

/** A model API that the session's proxy offers, below `/<name>` of its own address. */
export const upstreamSchema = z.object({
  /** Name of the Credential. */
  name: nameSchema,
  api: z.enum(modelApis),
  /** What stands where the key would be: worth something at this proxy, for this credential and session only. */
  placeholder: z.string(),
  /** The key is the token of a subscription, so the harness has to speak like one that is logged in. */
  subscription: z.boolean(),
});
export type Upstream = z.output<typeof upstreamSchema>;

/** What the proxy itself answers to the session's runner; everything else it relays. */
export const proxyApi = {
  upstreams: endpoint({
    method: "POST",
    path: "/v1/proxy/upstreams",
    summary: "The model APIs of the session, in the order of the agent group's credentials.",
    input: z.object({}),
    output: z.object({ upstreams: z.array(upstreamSchema) }),
  }),
};

export type ProxyClient = Client<typeof proxyApi>;
