// internals.ts: the few members that Socket.IO 4 keeps private and this port cannot do without, all in one place.
// They are the reason why package.json asks for `~4.8`: read this file again before you raise that.

import type { IncomingMessage } from "node:http";
import type { Namespace, Server, Socket } from "socket.io";

/** The Engine.IO connection under a peer: one for all its namespaces. */
export type Connection = Socket["conn"];

/** Whether the server has a namespace of this name; unlike `io.of(name)`, the question does not create it. */
export function knows(io: Server, name: string): boolean {
  return io._nsps.has(name);
}

/** Whether this very object is the server's namespace of its name, and not one that was retired. */
export function isCurrent(namespace: Namespace): boolean {
  return namespace.server._nsps.get(namespace.name) === namespace;
}

/** Removes a namespace from its server, and lets its adapter go; one that fails to close must not end the process. */
export function forget(namespace: Namespace): void {
  if (isCurrent(namespace)) namespace.server._nsps.delete(namespace.name);
  Promise.resolve(namespace.adapter.close()).catch(() => {});
}

/**
 * Lets go of the namespaces that are retired on a server with connection state recovery: its adapter sweeps expired
 * sessions with an interval that keeps adapter and namespace in memory for ever, and that its `close()` forgets.
 */
export function stopSweepingOnClose(io: Server): void {
  const Adapter = io["_adapter"] as new (namespace: Namespace) => Namespace["adapter"];

  io["_adapter"] = function (namespace: Namespace) {
    const sweeps: NodeJS.Timeout[] = [];
    const { setInterval } = globalThis;
    // the interval is in no property: while the constructor runs, and no longer, this sees it pass
    globalThis.setInterval = ((callback: () => void, ms: number) => {
      sweeps.push(setInterval(callback, ms));
      return sweeps.at(-1);
    }) as typeof setInterval;
    let adapter: Namespace["adapter"];
    try {
      adapter = new Adapter(namespace);
    } finally {
      globalThis.setInterval = setInterval;
    }
    const close = adapter.close;
    adapter.close = () => {
      sweeps.forEach(clearInterval);
      return close.call(adapter);
    };
    return adapter;
  };
}

/**
 * The `?ns=` of a connection's handshake, as Engine.IO parsed it: where it is repeated, the last one. WebTransport has no
 * request, and so no query.
 */
export function askedFor({ request }: Connection): string | undefined {
  type Parsed = IncomingMessage & { _query: Record<string, string | undefined> };
  return (request as Parsed | null)?._query["ns"];
}

/**
 * Emits to one peer past the adapter. With connection state recovery the adapter keeps what is emitted, for a peer that
 * comes back; this is for what would only fill the memory.
 */
export function emitUnkept(socket: Socket, event: string, argument: unknown): void {
  const EVENT = 2; // of Socket.IO's protocol
  socket["packet"]({ type: EVENT, data: [event, argument] });
}

/** Whether this peer is in its namespace twice, as after two CONNECT packets that came together. */
export function joinedTwice(socket: Socket): boolean {
  const { sockets, nsps } = socket.client as unknown as { sockets: Map<string, Socket>; nsps: Map<string, Socket> };
  return sockets.size > nsps.size; // the one has every socket, the other the latest of each namespace
}

/** Calls `listener` with every Engine.IO connection, also where the server is attached to its port later. */
export function onConnection(io: Server, listener: (conn: Connection) => void): void {
  const bind = io.bind;
  io.engine?.on("connection", listener);
  io.bind = (engine: Server["engine"]) => {
    engine.on("connection", listener);
    return bind.call(io, engine);
  };
}

/**
 * Follows the peers through the middlewares of a namespace, before the first and after the last one of them, wherever
 * the application added its own.
 */
export function onMiddlewares(
  namespace: Namespace,
  { before, refused }: { before: (socket: Socket) => void; refused: (socket: Socket) => void },
): void {
  const run = namespace["run"] as (socket: Socket, done: (err: Error | null) => void) => void;
  namespace["run"] = (socket: Socket, done: (err: Error | null) => void) => {
    before(socket);
    run.call(namespace, socket, (err) => {
      done(err); // answers the peer in the next tick
      if (err) process.nextTick(refused, socket);
    });
  };
}
