import { loopbackOnlyGate } from "../support/loopback-only.ts";
import { tellStories } from "./tell.ts";

await tellStories({ all: true, network: loopbackOnlyGate() });
