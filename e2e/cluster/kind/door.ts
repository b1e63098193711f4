// Holds a port of the machine's network open and leads to the same port of the network that it was started in.
import { forward, receiveListener } from "../native/forward.ts";

forward(await receiveListener(), Number(process.argv[2]));
