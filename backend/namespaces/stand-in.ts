// stand-in.ts: in place of a connection's `Client`, for its socket in the default namespace. A socket of Socket.IO writes
// through a `Client`. Where the client has not asked for the default namespace, the socket gets one of these instead, and
// what is written to it is dropped.
import { PacketType, type Client, type Packet } from "./internals";

/** Has all that Socket.IO's sockets and adapters use of a `Client`. */
export class StandIn {
  /**
   * Whether packets are passed on: the client has asked for the default namespace while it waited. If it asks later, the
   * socket gets the `Client` itself in place of this object.
   */
  passesOn = false;
  private readonly client: Client; // no parameter properties: Node.js' type stripping cannot run them
  private readonly onMiddlewareError: (client: Client, standIn: StandIn, data: unknown) => void;

  /**
   * @param client - the connection's own `Client`
   * @param onMiddlewareError - called when a middleware has refused the socket, with the data of the CONNECT_ERROR
   */
  constructor(client: Client, onMiddlewareError: (client: Client, standIn: StandIn, data: unknown) => void) {
    this.client = client;
    this.onMiddlewareError = onMiddlewareError;
  }

  get id() {
    return this.client.id;
  }
  get conn() {
    return this.client.conn;
  }
  get request() {
    return this.client.request;
  }

  /** Called by the socket for each of its own packets. */
  _packet(packet: Packet, options?: object): void {
    if (this.passesOn) this.client._packet(packet, options);
    if (packet.type === PacketType.CONNECT_ERROR) this.onMiddlewareError(this.client, this, packet.data);
  }
  /** Called by an adapter for each packet of a broadcast. */
  writeToEngine(...args: Parameters<Client["writeToEngine"]>): void {
    if (this.passesOn) this.client.writeToEngine(...args);
  }
  /** Called by the socket when it leaves the namespace. */
  _remove(socket: Parameters<Client["_remove"]>[0]): void {
    this.client._remove(socket);
  }
  /** Called by `socket.disconnect(true)`, which ends the whole connection. */
  _disconnect(): void {
    this.client._disconnect();
  }
}
