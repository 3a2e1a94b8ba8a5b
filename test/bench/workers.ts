// workers.ts: `@socket.io/cluster-adapter` in two workers of `node:cluster`, tried as adapters.ts tries the others. What is
// "subscribed" is a listener of the process: each adapter has one, through which it hears the other worker.

import cluster from "node:cluster";
import { createRequire } from "node:module";
import { join as path } from "node:path";
import { comeAndGo, emit, hear, serverWith, type Adapter } from "./adapters";

/** What a worker tells: that a message has crossed, or what is left with the pattern and natively. */
type Word = { crossed: true } | { left: number[] };

const load = createRequire(path(process.argv[2]!, "index.js"));
const { createAdapter, setupPrimary } = load("@socket.io/cluster-adapter") as {
  createAdapter: () => Adapter;
  setupPrimary: () => void;
};

function primary(): void {
  let crossed = 0;
  setupPrimary();
  const workers = ["emits", "hears"].map((role) => cluster.fork({ ROLE: role }));
  for (const worker of workers) {
    worker.on("message", (word: Word) => {
      if ("crossed" in word) crossed++;
      if (!("left" in word)) return;
      for (const { process } of workers) process.kill();
      console.log(JSON.stringify({ crossed, left: word.left }));
    });
  }
}

async function worker(): Promise<void> {
  process.setMaxListeners(0);
  const tell = (word: Word) => process.send!(word);
  const listeners = async () => process.listenerCount("message");
  const io = serverWith(createAdapter(), false);
  if (process.env["ROLE"] === "hears") return hear(io, () => tell({ crossed: true }));
  await emit(io);
  const pattern = await comeAndGo(io, listeners, 1000);
  tell({ left: [pattern, await comeAndGo(serverWith(createAdapter(), true), listeners, 1_000_000)] });
}

if (cluster.isPrimary) primary();
else void worker();
