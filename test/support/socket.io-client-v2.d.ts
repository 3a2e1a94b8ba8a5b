// The little of socket.io-client 2 that the article uses; its own types would clash with those of version 4.
declare module "socket.io-client-v2" {
  interface SocketV2 {
    on(event: string, listener: (...args: never[]) => void): this;
    close(): this;
  }
  const io: {
    connect(url: string, options: { query: string; transports: string[]; forceNew: boolean }): SocketV2;
  };
  export default io;
}
