// client.ts: the article's connect call.

import { io, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";

/**
 * Connects to a namespace, and creates it if this is its first peer: the handshake query tells the server its name.
 *
 * Each call has a connection of its own. Events are those of Socket.IO; a refusal is one `connect_error` with the
 * server's message (and `data`, if a middleware has added it), after which `socket.active` is false and the connection
 * is closed.
 *
 * @param serverIoUrl - the server's address, such as `http://localhost:3000`, without a path or a query; in a browser, ""
 *   is the server of the page
 * @param namespace - the namespace's name, such as `/category/1/item/2/chat`
 * @param options - socket.io-client's own; `query` is sent beside `ns`
 * @returns the peer's socket in the namespace
 * @throws TypeError for the default namespace, for a name with `,` `?` `#` `[` or `]`, which may not reach the server
 *   as it is, and for an address with a path or a query
 */
export function connect(
  serverIoUrl: string,
  namespace: string,
  options: Partial<ManagerOptions & SocketOptions> = {},
): Socket {
  const server = serverIoUrl.replace(/\/$/, "");
  const ns = namespace.replace(/^\/*/, "/"); // the article's call puts one more slash before it
  if (!/^((\w+:)?\/\/)?[^/?#]*$/.test(server))
    throw new TypeError(`"${serverIoUrl}" must be the address of a server, without a path or a query`);
  if (/^\/$|[,?#[\]]/.test(ns)) throw new TypeError(`no peer can create a namespace with the name "${ns}"`);

  return io(server + ns, {
    ...options,
    // the article's query is a string; its type does not allow that any more, but Socket.IO does
    query: { ...Object.fromEntries(new URLSearchParams(options.query)), ns },
    forceNew: true, // a handshake has one query, so each namespace needs a connection of its own
  });
}
