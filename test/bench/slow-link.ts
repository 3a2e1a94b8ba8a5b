// slow-link.ts: a TCP proxy that hands on every byte a fixed time later, in both directions, like a distant server.

import { answer } from "./answer";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** Milliseconds each way. */
const DELAY = 25;

function delay(from: Socket, to: Socket): void {
  from.on("data", (chunk) => setTimeout(() => to.write(chunk), DELAY));
  from.on("end", () => setTimeout(() => to.end(), DELAY));
  from.on("error", () => to.destroy());
}

const commands = {
  /** Milliseconds there and back. */
  roundTrip() {
    return 2 * DELAY;
  },

  /** Opens a way to this port; the port of its near end. */
  async to(port: number) {
    const link = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
      const far = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
      delay(near, far);
      delay(far, near);
    });
    await new Promise<void>((resolve) => link.listen(0, "127.0.0.1", resolve));
    return (link.address() as AddressInfo).port;
  },
};

export type LinkCommands = typeof commands;

answer(commands);
