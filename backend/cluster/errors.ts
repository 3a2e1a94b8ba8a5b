// errors.ts: what goes wrong with Redis, in plain words.

/** Whether Redis has answered, with a refusal. (One that loads its data will be ready soon.) */
export const isRefusal = (err: Error) => err.name === "ReplyError" && !err.message.startsWith("LOADING");

/** The first sentence of an error, without the full stop; in plain words, if those of Redis are not. */
export function plain(err: unknown): string {
  const { message, code } = err as NodeJS.ErrnoException; // where a host name has several addresses, there may be a code and no message
  const command = /'(.+)' command/.exec(message)?.[1]?.replace("|", " ").toUpperCase();
  if (message.startsWith("NOAUTH")) return "it wants a password";
  if (message.startsWith("WRONGPASS")) return "it wants another user name or password";
  if (message.startsWith("NOPERM")) {
    return `it does not let this user ${command ? `run ${command}` : "use the channels that begin with socket.io#"}`;
  }
  if (/unknown command .HELLO/i.test(message)) return "it is older than version 6";
  if (message.startsWith("Unknown RESP")) return "it is no Redis";
  if (message.startsWith("Socket timeout")) return "no answer within 3 s";
  return message.split(/\.(?:\s|$)/)[0] || code || "no reason given";
}
