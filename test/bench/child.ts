// child.ts: a process of the benchmark's own and the calls made to it. The server, the clients and the slow link do not
// share a processor, so that what one of them spends is not taken for another's.

import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";

/** What a process can be asked for; arguments and results travel as JSON. */
type Commands = Record<string, (argument: never) => unknown>;

interface Call {
  id: number;
  command: string;
  argument?: unknown;
}

interface Reply {
  id: number;
  result?: unknown;
  error?: string;
}

/** No call takes longer, not even on a machine that is busy with other things. */
const PATIENCE = 60_000;

/** Answers the calls of the parent process, and ends with it. */
export function answer(commands: Commands): void {
  process.on("message", async ({ id, command, argument }: Call) => {
    const reply: Reply = { id };
    try {
      reply.result = await commands[command]?.(argument as never);
    } catch (err) {
      reply.error = String(err);
    }
    process.send?.(reply);
  });
  process.on("disconnect", () => process.exit());
  process.send?.("ready");
}

/** A child process that answers the commands `C`. */
export class Child<C extends Commands> {
  private static readonly all = new Set<ChildProcess>();
  private calls = 0;

  private constructor(private readonly process: ChildProcess) {}

  /** Starts `test/bench/<file>` and waits until it answers. */
  static async start<C extends Commands>(file: string, ...args: string[]): Promise<Child<C>> {
    const child = fork(resolve(__dirname, file), args, {
      cwd: resolve(__dirname, "../.."), // where ts-node finds tsconfig.json
      execArgv: ["--expose-gc", "-r", "ts-node/register"],
      stdio: ["ignore", 2, 2, "ipc"], // the parent's standard output is the table alone
    });
    Child.all.add(child);
    await within(once(child, "message"), child, `start ${file}`);
    return new Child<C>(child);
  }

  static stopAll(): void {
    for (const child of Child.all) child.kill("SIGKILL");
  }

  async call<K extends keyof C & string>(command: K, ...args: Parameters<C[K]>): Promise<Awaited<ReturnType<C[K]>>> {
    const id = ++this.calls;
    const replied = new Promise<Reply>((resolve) => {
      const onMessage = (reply: Reply) => {
        if (reply.id !== id) return;
        this.process.off("message", onMessage);
        resolve(reply);
      };
      this.process.on("message", onMessage);
    });
    this.process.send({ id, command, argument: args[0] } satisfies Call);
    const { result, error } = await within(replied, this.process, command);
    if (error) throw new Error(`${command}: ${error}`);
    return result as Awaited<ReturnType<C[K]>>;
  }

  stop(): void {
    Child.all.delete(this.process);
    this.process.kill("SIGKILL");
  }
}

/** Rejects when the child has ended or does not answer. */
async function within<T>(answered: Promise<T>, child: ChildProcess, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let onExit: (() => void) | undefined;
  const failed = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no answer within ${PATIENCE / 1000} seconds`)), PATIENCE);
    onExit = () => reject(new Error(`${what}: the process has ended`));
    child.once("exit", onExit);
  });
  try {
    return await Promise.race([answered, failed]);
  } finally {
    clearTimeout(timer);
    if (onExit) child.off("exit", onExit);
  }
}
