// stand-in.ts: a socket of Socket.IO writes through a `Client`. The socket that a connection has in the default namespace
// gets a stand-in for it at first. That drops what is written, unless the client has asked for the default namespace
// itself. As soon as the client has, and the socket is connected, the socket gets the `Client`. (On uWebSockets.js,
// Socket.IO publishes its broadcasts past all this, as the guide says.)
import { PacketType, type Client, type Packet } from "./internals";

/** Has all that Socket.IO's sockets and adapters use of a `Client`. */
export class StandIn {
  /** Whether packets are passed on: the client has asked for the default namespace itself. */
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
