// recovery.ts: connection state recovery, ended with its namespace. Where an application switches recovery on, Socket.IO
// builds the adapter of each namespace from a class of its own. The constructor of that class starts an interval that
// nothing can stop, and that keeps the namespace in memory forever. So this file finds that class, and puts another one
// in its place, which builds the same adapter without that constructor. One interval of the server does the rest.
import { setInterval } from "node:timers"; // Node's own in every runtime, with `unref`
import type { Namespace, Server } from "socket.io";
import { namespacesOf, recoveryOf } from "./internals";

type Adapter = Namespace["adapter"];
type AdapterClass = new (namespace: Namespace) => Adapter;

/** What Socket.IO's adapter for recovery keeps to itself. */
interface RecoveryAdapter extends Adapter {
  sessions: Map<string, { disconnectedAt: number }>;
  packets: { emittedAt: number }[];
  maxDisconnectionDuration: number;
}

const SWEEP = 60_000; // milliseconds: Socket.IO's adapter looks once a minute for what is too old

/** Lets the adapters of a server's new namespaces end, if they are Socket.IO's own for recovery. */
export function endRecoveryWithNamespace(io: Server): void {
  io.sockets.adapter.persistSession = () => {}; // nobody is recovered in the default namespace

  const { maxDisconnectionDuration } = recoveryOf(io) ?? {};
  if (maxDisconnectionDuration === undefined) return; // recovery is off

  const Own = ownClassForRecovery(io);
  const built = new WeakSet<Adapter>();
  const Endable = withoutConstructor(Own, (adapter) => {
    Object.assign(adapter, { sessions: new Map(), packets: [], maxDisconnectionDuration });
    built.add(adapter);
  });

  // `io.adapter()` is what Socket.IO builds the adapter of each namespace from. A class of the application's own stays
  const { adapter } = io;
  io.adapter = function (...chosen: Parameters<typeof adapter>) {
    const answer: unknown = adapter.apply(io, chosen);
    return answer === Own ? Endable : answer;
  } as typeof adapter;

  setInterval(() => {
    for (const { adapter } of namespacesOf(io).values()) if (built.has(adapter)) sweep(adapter as RecoveryAdapter);
  }, SWEEP).unref();
}

/**
 * Finds the class from which Socket.IO builds adapters where recovery is on. A server tells it while it is constructed;
 * this one has no namespace, so it builds no adapter.
 */
function ownClassForRecovery(io: Server): AdapterClass {
  let chosen: unknown;
  class Asked extends classOfServer(io) {
    override adapter(choice?: unknown): never {
      chosen = choice;
      return this as never;
    }
    override of(): never {
      return undefined as never;
    }
  }
  new Asked({ connectionStateRecovery: {} });
  return chosen as AdapterClass;
}

/** Socket.IO's own class of servers, also where the application's server is of a class that extends it. */
function classOfServer(io: Server): typeof Server {
  let prototype: object = Object.getPrototypeOf(io);
  while ("adapter" in Object.getPrototypeOf(prototype)) prototype = Object.getPrototypeOf(prototype);
  return prototype.constructor as typeof Server;
}

/**
 * Makes a class that skips one constructor: it builds an `Own` with the constructor of the class that `Own` extends. A
 * subclass cannot do that, since it has to call the constructor of `Own`. A Proxy can, and is `Own` in everything else:
 * the application may extend it, and `instanceof` tells no difference.
 * @param prepare - does what else the constructor of `Own` would have done
 */
function withoutConstructor(Own: AdapterClass, prepare: (adapter: Adapter) => void): AdapterClass {
  const Extended: AdapterClass = Object.getPrototypeOf(Own);
  return new Proxy(Own, {
    construct(_own, [namespace]: [Namespace], asked) {
      const adapter: Adapter = Reflect.construct(Extended, [namespace], asked); // `asked`: `Own`, or a class that extends it
      prepare(adapter);
      return adapter;
    },
  });
}

/**
 * Forgets what is too old, as Socket.IO's adapter does. It counts from the creation of its namespace and this interval
 * does not, so everything is kept for one more minute: nobody is lost whom Socket.IO would recover.
 */
function sweep(adapter: RecoveryAdapter): void {
  const oldest = Date.now() - adapter.maxDisconnectionDuration - SWEEP;
  for (const [id, { disconnectedAt }] of adapter.sessions) {
    if (disconnectedAt < oldest) adapter.sessions.delete(id);
  }
  adapter.packets = adapter.packets.filter(({ emittedAt }) => emittedAt >= oldest);
}
