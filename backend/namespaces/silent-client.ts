// silent-client.ts: a socket of the default namespace that sends nothing. Socket.IO gives each socket the client of its
// connection, and the socket writes through it. A socket whose client has not asked for the default namespace gets one
// of these in its place. What is written to it is dropped, until the client asks.
import { PacketType, type Client, type Packet } from "./internals";

/** Stands in for the client of one socket: it has all that Socket.IO's sockets and adapters use of a client. */
export class SilentClient {
  /** Whether packets are written: as soon as the client has asked for the default namespace itself. */
  hears = false;

  /**
   * @param client - the real client
   * @param onRefused - called when a middleware has refused the socket, with the data of the CONNECT_ERROR
   */
  constructor(
    private readonly client: Client,
    private readonly onRefused: (client: Client, data: unknown) => void,
  ) {}

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
    if (this.hears) this.client._packet(packet, options);
    if (packet.type === PacketType.CONNECT_ERROR) this.onRefused(this.client, packet.data);
  }
  /** Called by an adapter for each packet of a broadcast. */
  writeToEngine(...args: Parameters<Client["writeToEngine"]>): void {
    if (this.hears) this.client.writeToEngine(...args);
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
