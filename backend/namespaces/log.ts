// log.ts: what `ioHandler` does, a line each, for whoever starts the server with NODE_DEBUG=first-peer.
import { debuglog } from "node:util";

/** Writes a line if `NODE_DEBUG` names `first-peer`. What comes from a client is written with `%j`, as one line. */
export const log = debuglog("first-peer");
