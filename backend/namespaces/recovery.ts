// recovery.ts: Socket.IO's own adapter for connection state recovery, ended with its namespace. Its constructor starts an
// interval that nothing can stop, and that keeps the namespace in memory forever. So adapters are built without that
// constructor, and with the same sweep once a minute, which ends when the namespace is retired.
import { EventEmitter } from "node:events";
import { clearInterval, setInterval } from "node:timers"; // Node's own in every runtime, with `unref`
import type { Namespace, Server } from "socket.io";
type Adapter = Namespace["adapter"];
/** What Socket.IO's adapter keeps to itself. */
interface RecoveryAdapter extends Adapter {
  sessions: Map<string, { disconnectedAt: number }>;
  packets: { emittedAt: number }[];
  maxDisconnectionDuration: number;
}
const sweeps = new WeakMap<Adapter, NodeJS.Timeout>();
/** Lets the adapters of a server's new namespaces end, if they are Socket.IO's own for recovery. */
export function endRecoveryWithNamespace(io: Server): void {
  io.sockets.adapter.persistSession = () => {}; // nobody is recovered in the default namespace
  const { maxDisconnectionDuration } = io.sockets.adapter as RecoveryAdapter;
  const Own = io.adapter() as unknown as new () => RecoveryAdapter;
  const Plain = Object.getPrototypeOf(Own); // what it extends; a class that extends it in its turn is left alone
  if (maxDisconnectionDuration === undefined || Object.getPrototypeOf(Plain) !== EventEmitter) return;
  const { adapter } = io;
  const construct = (_own: object, [namespace]: [Namespace], type: new () => unknown): RecoveryAdapter => {
    const built: RecoveryAdapter = Reflect.construct(Plain, [namespace], type); // the type may extend it
    const sweep = () => {
      const oldest = Date.now() - maxDisconnectionDuration;
      built.sessions.forEach(({ disconnectedAt }, id) => disconnectedAt < oldest && built.sessions.delete(id));
      built.packets = built.packets.filter(({ emittedAt }) => emittedAt >= oldest);
    };
    sweeps.set(built, setInterval(sweep, 60_000).unref()); // more often would lose peers that Socket.IO recovers
    return Object.assign(built, { sessions: new Map(), packets: [], maxDisconnectionDuration });
  };
  const build = new Proxy(Own, { construct });
  io.adapter = function (...chosen: Parameters<typeof adapter>) {
    const answer: unknown = adapter.apply(io, chosen);
    return answer === Own ? build : answer;
  } as typeof adapter;
}

/** Ends the sweeps of an adapter whose namespace is retired. */
export function stopSweeping(adapter: Adapter): void {
  clearInterval(sweeps.get(adapter));
}
