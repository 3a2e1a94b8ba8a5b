// lifetime.ts: who holds a namespace, and when it is retired. The article remembers every namespace forever. Here one
// lives as long as somebody holds it: each peer from its CONNECT on, until its connection closes or it is refused.
import { clearTimeout, setTimeout } from "node:timers"; // Node's own in every runtime, with `unref`
import { inspect } from "node:util";
import type { Namespace } from "socket.io";
import { followPeers, joinedBy, namespacesOf, type Client } from "./internals";
import { log } from "./log";

/** What is known of a name. */
interface Lifetime {
  /** How many connections hold it. */
  holders: number;
  /** The namespace of this name, as soon as there is one, and if it is to be retired. */
  namespace?: Namespace | undefined;
  /** Retires the namespace; it runs while nobody holds it. */
  countdown?: NodeJS.Timeout | undefined;
}

export type Lifetimes = ReturnType<typeof createLifetimes>;

/**
 * Keeps account of the namespaces of a server that are retired when nobody has held them for a while.
 *
 * @param retireAfter - milliseconds from the end of a namespace's last holder to its own end
 * @param onRetired - called once for each namespace, when the server has forgotten it
 * @throws RangeError for a `retireAfter` that no timer can wait for
 */
export function createLifetimes(retireAfter: number, onRetired: (namespace: Namespace) => void) {
  if (retireAfter !== Infinity && !(retireAfter >= 0 && retireAfter < 2 ** 31)) {
    throw new RangeError(`retireAfter must be 0 to ${2 ** 31 - 1} milliseconds, or Infinity: ${retireAfter}`);
  }
  const byName = new Map<string, Lifetime>();
  const heldBy = new WeakMap<Client, Set<string>>(); // the names that a connection holds

  /** Begins the lifetime of a namespace that is new. Somebody may hold its name already. */
  function begin(namespace: Namespace): void {
    const { name } = namespace;
    const older = byName.get(name);
    if (older?.namespace) retire(older.namespace); // Socket.IO itself has removed it from the server

    const lifetime: Lifetime = { holders: older?.holders ?? 0, namespace };
    byName.set(name, lifetime);
    log("%j is created", name);
    if (lifetime.holders === 0) startCountdown(lifetime);
    closeAdapterOnce(namespace);
    followPeers(namespace, {
      onArrival: hold,
      onRefused: releaseIfRefused,
      mayEnter(client) {
        if (namespacesOf(namespace.server).get(name) === namespace) {
          hold(client, name); // again: another CONNECT of this connection may have been refused meanwhile
          return true;
        }
        log("%s is closed: it was on its way into %j, which is retired", client.id, name);
        client.conn.close();
        return false;
      },
    });
  }

  /** Holds a name, even if there is no namespace yet, until the client is refused or its connection closes. */
  function hold(client: Client, name: string): void {
    if (client.conn.readyState !== "open") return; // nobody would tell when it closes

    const held = heldBy.get(client) ?? new Set();
    if (held.has(name)) return;
    heldBy.set(client, held.add(name));

    const lifetime = byName.get(name) ?? { holders: 0 };
    byName.set(name, lifetime);
    lifetime.holders++;
    clearTimeout(lifetime.countdown);
    lifetime.countdown = undefined; // a timer that has been stopped still takes memory
    log("%s holds %j, as one of %d", client.id, name, lifetime.holders);
  }

  /** Lets go of a name, unless the client is in its namespace: of two CONNECTs, only one may have been refused. */
  function releaseIfRefused(client: Client, name: string): void {
    if (joinedBy(client).has(name)) return;
    if (heldBy.get(client)?.delete(name)) release(name);
  }

  /** Lets go of all that a connection holds, when it closes. */
  function releaseAll(client: Client): void {
    const held = heldBy.get(client) ?? [];
    heldBy.delete(client);
    for (const name of held) release(name);
  }

  function release(name: string): void {
    const lifetime = byName.get(name)!;
    lifetime.holders--;
    log("%j is held by %d", name, lifetime.holders);
    if (lifetime.holders > 0) return;
    if (lifetime.namespace) startCountdown(lifetime);
    else byName.delete(name);
  }

  function startCountdown(lifetime: Lifetime): void {
    if (retireAfter === Infinity) return;
    lifetime.countdown = setTimeout(() => retire(lifetime.namespace!), retireAfter);
    lifetime.countdown.unref(); // a closed server may end its process
  }

  /** Removes a namespace from the server, and closes its adapter. Its name may still be held, by who is on the way. */
  function retire(namespace: Namespace): void {
    const { name, server, adapter } = namespace;
    const lifetime = byName.get(name)!;
    clearTimeout(lifetime.countdown);
    lifetime.namespace = undefined;
    if (lifetime.holders === 0) byName.delete(name);
    if (namespacesOf(server).get(name) === namespace) namespacesOf(server).delete(name);
    log("%j is retired", name);
    new Promise((resolve) => resolve(adapter.close())).catch((err) => {
      process.emitWarning(`The adapter of ${name}, which was retired, did not close: ${inspect(err)}`);
    });
    onRetired(namespace);
  }

  return { begin, hold, releaseIfRefused, releaseAll, retire };
}

/** Closes the adapter of a namespace once: `io.close()` closes those of all namespaces, and a retirement its own. */
function closeAdapterOnce({ adapter }: Namespace): void {
  const { close } = adapter;
  adapter.close = () => {
    adapter.close = () => {};
    return close.call(adapter);
  };
}
