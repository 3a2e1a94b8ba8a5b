// plain.ts: what goes wrong with Redis, in plain words.

/** The reason of an error, without the full stop, and in plain words where those of Redis are not. */
export function plain(err: unknown): string {
  const { message, code } = err as NodeJS.ErrnoException; // a name with several addresses fails without a message
  const command = /'(.+)' command/.exec(message)?.[1]?.replace("|", " ").toUpperCase();
  if (message.startsWith("NOAUTH")) return "it wants a password";
  if (message.startsWith("WRONGPASS")) return "it wants another user name or password";
  if (message.startsWith("NOPERM")) {
    return `it does not let this user ${command ? `run ${command}` : "use the channels that begin with socket.io#"}`;
  }
  if (/unknown (sub)?command/i.test(message)) return "it is older than version 7"; // the first with sharded channels
  if (message.startsWith("Unknown RESP")) return "it is no Redis";
  // what node-redis 6.3 throws where Redis ends subscriptions while others are on their way, as when slots move
  if (message.endsWith("(reading 'value')")) return "node-redis lost count of its subscriptions";
  if (message.startsWith("Socket timeout")) return "no answer";
  return message.split(/\.(?:\s|$)/)[0] || code || "no reason given";
}

/** What the log tells of a link: to the server of this name, or to a master of its cluster. */
export function logOf(name: string, address?: string) {
  const server = address ? `The master ${address} of ${name}` : name;
  const meanwhile = address
    ? "Until it is back or replaced, each node is on its own in the namespaces that it carries"
    : "Until it is back, this node is on its own";
  return {
    onLost: (reason: string) => console.error(`${server} is lost: ${reason}. ${meanwhile}.`),
    onBack: () => console.log(`${server} is back.`),
  };
}

/** Rejects when a promise takes longer than this many milliseconds. */
export function within<T>(milliseconds: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = new Error(`no answer within ${milliseconds / 1000} s`);
    const timer = setTimeout(() => setImmediate(reject, late), milliseconds); // an answer that has come is read first
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
