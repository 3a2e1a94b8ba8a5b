// npm run bench -- lobby: how long the demo's server stops to tell a page which namespaces live, when there are very many.

import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { io as connect } from "socket.io-client";
import { chatServer } from "../../backend/server";
import { pause } from "../support/harness";
import { median } from "./figures";

const COUNTS = [100, 1_000, 20_000];
const ROUNDS = 50;

/** The table, for these numbers of namespaces. */
export async function lobby(progress: (what: string) => void): Promise<string> {
  const rows = [];
  for (const count of COUNTS) {
    progress(`lobby, ${count} namespaces`);
    const stops = await stopsWith(count);
    const figures = [median(stops), Math.max(...stops)].map((ms) => `${ms.toFixed(1)} ms`);
    rows.push(`| ${[count.toLocaleString("en"), ...figures].join(" | ")} |`);
  }
  return ["| namespaces | longest stop of a round, median | of all rounds |", "| --- | --- | --- |", ...rows].join(
    "\n",
  );
}

/** The longest stop of the server in each round, in ms: one more namespace comes, and the page hears of it. */
async function stopsWith(count: number): Promise<number[]> {
  const { server, io } = chatServer(3_600_000); // all of them stay
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  for (let i = 0; i < count; i++) io.of(nameOf(i));

  const page = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}/lobby`, { forceNew: true });
  const listWith = (total: number) =>
    new Promise<void>((resolve) => {
      page.on("namespaces", (list: { total: number }, taken: () => void) => {
        taken();
        if (list.total !== total) return;
        page.off("namespaces");
        resolve();
      });
    });
  await listWith(count);

  const stops: number[] = [];
  const delay = monitorEventLoopDelay({ resolution: 1 });
  for (let round = 0; round < ROUNDS; round++) {
    const told = listWith(count + round + 1);
    delay.enable();
    await pause(5);
    delay.reset(); // it has begun
    io.of(nameOf(count + round));
    await told;
    await pause(5); // what was late is told afterwards
    delay.disable();
    stops.push(delay.max / 1e6);
  }

  page.disconnect();
  await io.close();
  return stops;
}

/** They come in no order, as people choose them. */
function nameOf(i: number): string {
  return `/category/${(i * 7919) % 97}/item/${i}/chat`;
}
