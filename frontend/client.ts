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
 * @param serverIoUrl - the server's address, such as `http://localhost:3000`
 * @param namespace - the namespace's name, such as `/category/1/item/2/chat`
 * @param options - socket.io-client's own: `auth` goes to both namespaces, `query` is sent beside `ns`
 * @returns the peer's socket in the namespace
 * @throws TypeError for the default namespace
 */
export function connect(
  serverIoUrl: string,
  namespace: string,
  options: Partial<ManagerOptions & SocketOptions> = {},
): Socket {
  const ns = namespace.replace(/^\/*/, "/");
  if (ns === "/") throw new TypeError("connect() needs the name of a namespace other than the default one");

  const bootstrap: Socket<{ refused: (reason: { err: string }) => void }> = io(serverIoUrl, {
    ...options,
    query: { ...options.query, ns },
    forceNew: true, // a handshake has one query, so that each namespace needs a connection of its own
    autoConnect: false, // not before the listeners below are there
  });
  const socket = bootstrap.io.socket(ns, options);

  // The peer's socket leads and the one in the default namespace follows: it begins first and ends with the other, and
  // what it is refused is the peer's to know. `destroy` is private, but every end of a socket comes through it.
  const connect = socket.connect;
  const destroy = socket["destroy"];
  const begin = () => {
    bootstrap.auth = socket.auth;
    bootstrap.connect();
  };
  socket.connect = () => {
    begin();
    return connect.call(socket);
  };
  socket["destroy"] = () => {
    bootstrap.disconnect();
    destroy.call(socket);
  };
  bootstrap.io.on("reconnect_attempt", begin); // it may be that the server has ended the default namespace's alone

  const fail = (err: Error) => {
    socket.disconnect();
    socket["emitReserved"]("connect_error", err);
  };
  bootstrap.on("refused", ({ err }) => fail(new Error(err)));
  bootstrap.on("connect_error", (err) => {
    if (!bootstrap.active) fail(err); // else the transport failed, and the peer's socket says so itself
  });

  return options.autoConnect === false ? socket : socket.connect();
}
