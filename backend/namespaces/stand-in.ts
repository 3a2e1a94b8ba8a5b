// stand-in.ts: in place of a connection's `Client`, for its socket in the default namespace. A socket of Socket.IO
// writes through a `Client`. This one gets a stand-in at first, which drops what is written, unless the client has
// asked for the default namespace itself. As soon as it has, and the socket is connected, the socket gets the `Client`.
import { PacketType, type Client, type Packet } from "./internals";

/** Has all that Socket.IO's sockets and adapters use of a `Client`. */
export class StandIn {
  /**
   * Whether packets are passed on: the client has asked for the default namespace, and waits for the answer.
   */
  passesOn = false;
  private readonly client: Client; // no parameter properties: Node.js' type stripping cannot run them
  private readonly onRefused: (client: Client, standIn: StandIn, data: unknown) => void;

  /**
   * @param client - the connection's own `Client`
   * @param onRefused - called when a middleware has refused the socket, with the data of the CONNECT_ERROR
   */
  constructor(client: Client, onRefused: (client: Client, standIn: StandIn, data: unknown) => void) {
    this.client = client;
    this.onRefused = onRefused;
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
    if (packet.type === PacketType.CONNECT_ERROR) this.onRefused(this.client, this, packet.data);
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
