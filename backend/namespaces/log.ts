// log.ts: what this pattern does, a line each, for whoever starts the server with NODE_DEBUG=first-peer.
import { debuglog } from "node:util";

/** Writes a line if `NODE_DEBUG` names `first-peer`. What a client has sent is written with `%j`, which quotes it. */
export const log = debuglog("first-peer");
