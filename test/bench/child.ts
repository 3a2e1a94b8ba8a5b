// child.ts: a process of the benchmark's own, and the calls made to it. Servers, clients and the slow link do not share
// a process, so that what one of them spends is not taken for another's.

import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import type { Call, Commands, Reply } from "./answer";

/** No call takes longer, in milliseconds, not even on a machine that is busy with other things. */
const PATIENCE = 120_000;

/** How long a process may take to end by itself, in milliseconds. */
const LAST_WORDS = 10_000;

/** A child process that answers the commands `C`. */
export class Child<C extends Commands> {
  private static readonly all = new Set<Child<Commands>>();
  private calls = 0;

  private constructor(
    private readonly process: ChildProcess,
    private readonly name: string,
  ) {
    Child.all.add(this);
  }

  /** Starts `test/bench/<file>` with these arguments and options of Node.js, and waits until it answers. */
  static async start<C extends Commands>(file: string, args: string[] = [], options: string[] = []): Promise<Child<C>> {
    const started = fork(resolve(__dirname, file), args, {
      cwd: resolve(__dirname, "../.."), // where ts-node finds tsconfig.json
      execArgv: [...options, "-r", "ts-node/register"],
      stdio: ["ignore", 2, 2, "ipc"], // the parent's standard output is the table alone
    });
    const child = new Child<C>(started, [file, ...args].join(" "));
    await child.reply(0, "start");
    return child;
  }

  /** Ends every process that was started. */
  static async stopAll(): Promise<void> {
    await Promise.all([...Child.all].map((child) => child.stop()));
  }

  /** Has a command carried out, and resolves with its result. */
  async call<K extends keyof C & string>(command: K, ...args: Parameters<C[K]>): Promise<Awaited<ReturnType<C[K]>>> {
    const id = ++this.calls;
    const replied = this.reply(id, command);
    if (this.process.connected) this.process.send({ id, command, argument: args[0] } satisfies Call, () => {});
    return (await replied) as Awaited<ReturnType<C[K]>>;
  }

  /** Ends the process; it is given time to write what a profiler has collected. */
  async stop(): Promise<void> {
    Child.all.delete(this);
    if (this.ended) return;
    const exited = once(this.process, "exit");
    const impatience = setTimeout(() => this.process.kill("SIGKILL"), LAST_WORDS);
    if (this.process.connected) this.process.disconnect();
    await exited;
    clearTimeout(impatience);
  }

  private get ended(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null;
  }

  /** The result of one call; rejects when the process fails, has ended or does not answer. */
  private reply(id: number, command: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const fail = (why: string) => settle(() => reject(new Error(`${this.name}, ${command}: ${why}`)));
      const onMessage = (reply: Reply) => {
        if (reply.id !== id && reply.id !== "failed") return;
        if (reply.error === undefined) settle(() => resolve(reply.result));
        else fail(reply.error);
      };
      const onExit = () => fail("the process has ended");
      const onError = (err: Error) => fail(err.message);
      const timer = setTimeout(() => fail(`no answer within ${PATIENCE / 1000} seconds`), PATIENCE);
      const settle = (done: () => void) => {
        clearTimeout(timer);
        this.process.off("message", onMessage).off("exit", onExit).off("error", onError);
        done();
      };
      this.process.on("message", onMessage).on("exit", onExit).on("error", onError);
      if (this.ended) onExit();
    });
  }
}
