// client.ts: the article's connect call.

import { io, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";

/**
 * Connects to a namespace, and creates it if this is its first peer.
 *
 * The handshake query tells the server which namespace to create; the default namespace, where the server reads it,
 * and the namespace itself are asked for in one go. Both share one connection, which belongs to this call alone.
 *
 * Events are those of Socket.IO. A refusal, by the server's handler or by a middleware of either namespace, is one
 * `connect_error` with the server's message and `data`; then `socket.active` is false and the connection is closed.
 *
 * @param serverIoUrl - the server's address, such as `http://localhost:3000`, without a path or a query
 * @param namespace - the namespace's name, such as `/category/1/item/2/chat`
 * @param options - socket.io-client's own: `auth` goes to both namespaces (a function is called for each),
 *   `query` is sent beside `ns`
 * @returns the peer's socket in the namespace
 * @throws TypeError for the default namespace, and for a name with a comma, where Socket.IO's protocol ends names
 */
export function connect(
  serverIoUrl: string,
  namespace: string,
  options: Partial<ManagerOptions & SocketOptions> = {},
): Socket {
  const ns = namespace.replace(/^\/*/, "/");
  if (ns === "/" || ns.includes(",")) throw new TypeError(`no peer can create a namespace with the name "${ns}"`);

  const bootstrap: Socket<{ refused: (reason: { err: string }) => void }> = io(serverIoUrl, {
    ...options,
    query: { ...options.query, ns },
    forceNew: true, // a handshake has one query, so that each namespace needs a connection of its own
    autoConnect: false, // not before the listeners below are there
  });
  const socket = bootstrap.io.socket(ns, options);

  // The peer's socket leads, the one in the default namespace follows: it connects when the other does and ends with it,
  // and what it is refused is the peer's to know. `destroy` is private, but every end of a socket comes through it.
  const connectPeer = socket.connect;
  const destroyPeer = socket["destroy"];
  const startBootstrap = () => {
    bootstrap.auth = socket.auth;
    bootstrap.connect();
  };
  socket.connect = () => {
    startBootstrap();
    return connectPeer.call(socket);
  };
  socket["destroy"] = () => {
    bootstrap.disconnect();
    destroyPeer.call(socket);
  };
  bootstrap.io.on("reconnect_attempt", startBootstrap); // the server may have disconnected it alone

  const fail = (err: Error) => {
    socket.disconnect();
    // a listener may connect again, and must not get the packets that came together with the refusal
    queueMicrotask(() => socket["emitReserved"]("connect_error", err));
  };
  bootstrap.on("refused", ({ err }) => fail(new Error(err)));
  bootstrap.on("connect_error", (err) => {
    if (!bootstrap.active) fail(err); // else the transport failed, and the peer's socket says so itself
  });

  return options.autoConnect === false ? socket : socket.connect();
}
