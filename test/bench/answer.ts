// answer.ts: the other end of child.ts, in the child process. It is imported first, so that whatever fails after it is
// told to the parent process in one line.

/** What a process can be asked for; arguments and results travel as JSON. */
export type Commands = Record<string, (argument: never) => unknown>;

/** A call on its way to the child process. */
export interface Call {
  id: number;
  command: string;
  argument?: unknown;
}

/** Its answer; `"failed"` stands for all calls, and 0 for the first answer of a process that has started. */
export interface Reply {
  id: number | "failed";
  result?: unknown;
  error?: string;
}

const send = (reply: Reply, sent = () => {}) => process.send?.(reply, undefined, undefined, sent);

const fail = (err: unknown) => {
  send({ id: "failed", error: err instanceof Error ? err.message : String(err) }, () => process.exit(1));
};

process.on("uncaughtException", fail);
process.on("disconnect", () => process.exit());

/** Answers the calls of the parent process, and ends with it. */
export function answer(commands: Commands): void {
  process.on("message", async ({ id, command, argument }: Call) => {
    try {
      send({ id, result: await commands[command]?.(argument as never) });
    } catch (err) {
      send({ id, error: err instanceof Error ? err.message : String(err) });
    }
  });
  send({ id: 0 });
}
