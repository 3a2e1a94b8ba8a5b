// sides.ts: the servers that are compared, each with clients of its own, and the turns they take.

import { Child } from "./child";
import type { ClientCommands, Crowd, Kind } from "./clients";
import type { ServerCommands } from "./server";

const KINDS: Kind[] = ["native", "floor", "pattern"];

/** The namespace that is there before those come who share it. */
export const SHARED = "/category/1/item/2/chat";

/** A server and its clients. One peer stays in the shared namespace. */
export interface Side {
  kind: Kind;
  server: Child<ServerCommands>;
  clients: Child<ClientCommands>[];
}

/** The profilers that the servers are started with, and the directories they write to. */
const profilers = new Map<string, string>();
let sets = 0;

/**
 * From now on servers are started with a profiler of Node.js.
 *
 * @param profiler - `cpu-prof` or `heap-prof`
 * @param directory - where it writes `pattern-1.cpuprofile` and the like
 */
export function profileInto(profiler: string, directory: string): void {
  profilers.set(profiler, directory);
}

/** How many files a process of this user may open. */
export function openFiles(): number {
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files: { soft: number | "unlimited" } } };
  const limit = userLimits?.open_files.soft ?? "unlimited"; // Windows knows no limit
  return limit === "unlimited" ? Infinity : limit;
}

/** Starts one side of each kind; its peers are shared out among so many processes. */
export async function startSides(clientProcesses = 1): Promise<Side[]> {
  const set = ++sets;
  return Promise.all(
    KINDS.map(async (kind) => {
      const flags = [...profilers].flatMap(([profiler, directory]) => [
        `--${profiler}`,
        `--${profiler}-dir=${directory}`,
        `--${profiler}-name=${kind}-${set}.${profiler.replace("-prof", "profile")}`,
      ]);
      const server = await Child.start<ServerCommands>("server.ts", [kind], ["--expose-gc", ...flags]);
      // a port for each process of clients: there are only so many connections to one
      const startClients = async () =>
        Child.start<ClientCommands>("clients.ts", [kind, String(await server.call("port")), SHARED]);

      await (await startClients()).call("connect", { transport: "websocket", into: "shared", count: 1 });
      const clients = await Promise.all(Array.from({ length: clientProcesses }, startClients));
      return { kind, server, clients };
    }),
  );
}

/** Connects a crowd; how long each of its peers took until joined, in milliseconds. */
export async function visit({ clients }: Side, crowd: Crowd): Promise<number[]> {
  const share = { ...crowd, count: crowd.count / clients.length };
  return (await Promise.all(clients.map((some) => some.call("connect", share)))).flat();
}

/** Sees the crowd off. */
export async function leave({ clients, server }: Side): Promise<void> {
  await Promise.all(clients.map((some) => some.call("leave")));
  await server.call("settle", 1);
}

/** Takes a step with every side, one right after the other; who comes first changes from round to round. */
export async function inTurn(sides: Side[], round: number, step: (side: Side) => Promise<void>): Promise<void> {
  const order = sides.map((_, place) => sides[(place + round) % sides.length]);
  if (round % 2) order.reverse(); // all six orders come up
  for (const side of order) if (side) await step(side);
}
