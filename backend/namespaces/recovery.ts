// recovery.ts: connection state recovery, ended with its namespace. Where an application switches recovery on,
// Socket.IO builds the adapter of each namespace from a class of its own. The constructor of that class starts an
// interval that nothing can stop, and that keeps the namespace in memory forever. So this file finds that class, and
// puts another one in its place, which builds the same adapter without that constructor. One interval of the server
// does the rest.
import { setInterval } from "node:timers"; // the global one has no `unref` in some other runtimes
import { Server, type Namespace } from "socket.io";
import { namespacesOf, recoveryOf } from "./internals";

type Adapter = Namespace["adapter"];
type AdapterClass = new (namespace: Namespace) => Adapter;

/** What Socket.IO's adapter for recovery keeps to itself. */
interface RecoveryAdapter extends Adapter {
  sessions: Map<string, { disconnectedAt: number }>;
  packets: { emittedAt: number }[];
  maxDisconnectionDuration: number;
}

const SWEEP_INTERVAL = 60_000; // milliseconds: Socket.IO's adapter looks once a minute for what is too old

/** Lets the adapters of new namespaces end with them, where they are Socket.IO's own for recovery. */
export function letAdaptersEnd(io: Server): void {
  const recovery = recoveryOf(io);
  if (!recovery) return;

  const { maxDisconnectionDuration } = recovery; // Socket.IO has filled in what the application has left out
  const SocketIoAdapter = adapterClassForRecovery(io);
  const built = new WeakSet<Adapter>();
  const AdapterThatEnds = withoutConstructor(SocketIoAdapter, (adapter) => {
    Object.assign(adapter, { sessions: new Map(), packets: [], maxDisconnectionDuration });
    built.add(adapter);
  });

  // Socket.IO asks `io.adapter()` for the class of each new adapter. A class of the application's own stays
  const original = io.adapter;
  io.adapter = function (...args: Parameters<typeof original>) {
    const answer: unknown = original.apply(io, args);
    if (args.length > 0) keepNoSession(io); // the application has set a class: every namespace has a new adapter now
    return answer === SocketIoAdapter ? AdapterThatEnds : answer;
  } as typeof original;
  keepNoSession(io);

  // it keeps the server in memory, as Socket.IO's own adapter of the default namespace does
  const sweeps = setInterval(() => {
    for (const { adapter } of namespacesOf(io).values()) if (built.has(adapter)) sweep(adapter as RecoveryAdapter);
  }, SWEEP_INTERVAL);
  sweeps.unref(); // it does not keep the process running
}

/** Nobody is recovered in the default namespace (`authForDefault` in connect-order.ts): so its adapter keeps no session. */
function keepNoSession(io: Server): void {
  io.sockets.adapter.persistSession = () => {};
}

/**
 * Finds the class of which Socket.IO builds adapters where recovery is on. The constructor of a server passes it to
 * `this.adapter()`. So this constructs a server that only notes the class. It makes no namespace, so no adapter.
 */
function adapterClassForRecovery(io: Server): AdapterClass {
  let found: unknown;
  class Probe extends classOfServer(io) {
    override adapter(adapterClass?: unknown): never {
      found = adapterClass;
      return this as never;
    }
    override of(): never {
      return undefined as never;
    }
  }
  new Probe({ connectionStateRecovery: {} });
  return found as AdapterClass;
}

/**
 * Socket.IO's own class of servers, also where the application's server is of a class that extends it. It is not simply
 * the one that is imported here: the application may have another copy of socket.io.
 */
function classOfServer(io: Server): typeof Server {
  let prototype: object = Object.getPrototypeOf(io);
  // Socket.IO's is the last one that has `adapter`
  while ("adapter" in Object.getPrototypeOf(prototype)) prototype = Object.getPrototypeOf(prototype);
  const { constructor } = prototype;
  // in Bun, Socket.IO itself overwrites it: it gives its servers each enumerable method of Bun's EventEmitter
  return constructor.prototype === prototype ? (constructor as typeof Server) : Server;
}

/**
 * Makes a class that skips one constructor: it builds an adapter with the constructor of the class that `Skipped`
 * extends. A subclass cannot do that, since it has to call the constructor of `Skipped`. A Proxy can, and is `Skipped`
 * in all else: the application may extend it, and `instanceof` tells no difference.
 * @param prepare - does what else the constructor of `Skipped` would have done
 */
function withoutConstructor(Skipped: AdapterClass, prepare: (adapter: Adapter) => void): AdapterClass {
  const Extended: AdapterClass = Object.getPrototypeOf(Skipped);
  return new Proxy(Skipped, {
    construct(_target, [namespace]: [Namespace], newTarget) {
      const adapter: Adapter = Reflect.construct(Extended, [namespace], newTarget); // of `Skipped`, or of what extends it
      prepare(adapter);
      return adapter;
    },
  });
}

/**
 * Forgets what is too old, as Socket.IO's adapter does. A peer is recovered if the last packet that it has received is
 * still kept. Socket.IO's adapter looks once a minute, counted from the creation of its namespace, so it keeps a packet
 * up to a minute longer than it must. This one looks at another moment, and always keeps that minute: so nobody is lost
 * whom Socket.IO would recover.
 */
function sweep(adapter: RecoveryAdapter): void {
  const oldest = Date.now() - adapter.maxDisconnectionDuration - SWEEP_INTERVAL;
  for (const [id, { disconnectedAt }] of adapter.sessions) {
    if (disconnectedAt < oldest) adapter.sessions.delete(id);
  }
  adapter.packets = adapter.packets.filter(({ emittedAt }) => emittedAt >= oldest);
}
