// lifetime.ts: who holds a namespace, and when it is retired. The article remembers every namespace forever. Here one
// lives as long as somebody holds it: each peer from its CONNECT on, until its connection closes or it is refused. A
// peer that only leaves the namespace still holds it, so that it may come back on the same connection.
import { clearTimeout, setTimeout } from "node:timers"; // the global one has no `unref` in some other runtimes
import { inspect } from "node:util";
import type { Namespace } from "socket.io";
import { followEntries, joinedNamespaces, namespacesOf, type Client, type EntryFollower } from "./internals";
import { log } from "./log";

/** What is known of a name. */
interface Lifetime {
  /** How many connections hold it. */
  holders: number;
  /** The namespace of this name, if {@link createLifetimes} was told that it has begun, and it is not retired yet. */
  namespace?: Namespace | undefined;
  /** Retires the namespace; it runs while nobody holds it. */
  countdown?: NodeJS.Timeout | undefined;
}

export type Lifetimes = ReturnType<typeof createLifetimes>;

/**
 * Keeps account of the namespaces of a server that are retired when nobody has held them for a while.
 *
 * @param retireAfter - milliseconds from when nobody holds a namespace until it is retired
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
    const lifetime = lifetimeOf(namespace.name);
    const former = lifetime.namespace; // Socket.IO itself has removed it, with `cleanupEmptyChildNamespaces`
    stopCountdown(lifetime);
    lifetime.namespace = namespace;
    log("%j is created", namespace.name);
    if (lifetime.holders === 0) startCountdown(lifetime); // the application has made it, and nobody asks for it yet
    closeAdapterOnce(namespace);
    followEntries(namespace, follower);
    if (former) closeAndTell(former); // last, since a listener of the application hears of it, and may throw
  }

  const follower: EntryFollower = {
    onArrival: hold,
    onMiddlewareRefused: releaseUnlessJoined,
    mayEnter(client, namespace) {
      const { name, server } = namespace;
      if (namespacesOf(server).get(name) === namespace) {
        hold(client, name); // again: it was let go if another CONNECT of this connection was refused meanwhile
        return true;
      }
      // no refusal: a client that loses its connection comes back by itself, and creates the namespace anew
      log("%s is closed: it was on its way into %j, which is retired", client.id, name);
      client.conn.close();
      return false;
    },
  };

  /** Holds a name, even if there is no namespace yet, until the client is refused or its connection closes. */
  function hold(client: Client, name: string): void {
    if (client.conn.readyState !== "open") return; // its close has been told already, so nothing would let go of the name

    const held = heldBy.get(client) ?? new Set();
    if (held.has(name)) return;
    heldBy.set(client, held.add(name));

    const lifetime = lifetimeOf(name);
    lifetime.holders++;
    stopCountdown(lifetime);
    log("%s holds %j, as one of %d", client.id, name, lifetime.holders);
  }

  function lifetimeOf(name: string): Lifetime {
    const known = byName.get(name);
    if (known) return known;
    const lifetime: Lifetime = { holders: 0 };
    byName.set(name, lifetime);
    return lifetime;
  }

  /**
   * Called when a client has been refused. Lets go of a name, but not if the client is in its namespace: it may have
   * sent two CONNECTs, of which one was refused and the other let in.
   */
  function releaseUnlessJoined(client: Client, name: string): void {
    if (joinedNamespaces(client).has(name)) return;
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
    lifetime.countdown.unref(); // it does not keep the process of a closed server running
  }

  function stopCountdown(lifetime: Lifetime): void {
    clearTimeout(lifetime.countdown);
    lifetime.countdown = undefined; // a timer that has been stopped still takes memory
  }

  /**
   * Removes a namespace from the server, when nobody holds it, or when its creation has failed. In the second case peers
   * on their way in still hold its name: `mayEnter` stops them.
   */
  function retire(namespace: Namespace): void {
    const { name, server } = namespace;
    const lifetime = byName.get(name)!;
    stopCountdown(lifetime);
    lifetime.namespace = undefined;
    if (lifetime.holders === 0) byName.delete(name);
    namespacesOf(server).delete(name);
    closeAndTell(namespace);
  }

  /** Closes the adapter of a namespace that the server does not know any more, and tells of its end. */
  function closeAndTell(namespace: Namespace): void {
    const { name, adapter } = namespace;
    log("%j is retired", name);
    // in a promise, so that an adapter that throws is caught like one that rejects
    new Promise((resolve) => resolve(adapter.close())).catch((err) => {
      process.emitWarning(`The adapter of ${name}, which was retired, did not close: ${inspect(err)}`);
    });
    onRetired(namespace);
  }

  return { begin, hold, releaseUnlessJoined, releaseAll, retire };
}

/**
 * Lets the adapter of a namespace be closed once. In Socket.IO 4.7 and 4.8, `io.close()` closes each adapter, and then
 * the connections, with which the namespaces are retired. Not every adapter bears to be closed twice: it would release
 * twice what it shares with others.
 */
function closeAdapterOnce({ adapter }: Namespace): void {
  const { close } = adapter;
  adapter.close = () => {
    adapter.close = () => {};
    return close.call(adapter);
  };
}
