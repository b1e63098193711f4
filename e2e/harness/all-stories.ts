import { loopbackOnlyGate } from "../support/loopback-only.ts";
import { tellStories } from "./tell.ts";

tellStories({ all: true, network: loopbackOnlyGate() });
