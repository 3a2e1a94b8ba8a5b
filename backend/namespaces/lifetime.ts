// lifetime.ts: who holds a namespace, and when it is retired. The article remembers every namespace forever. Here one
// lives as long as somebody holds it: each peer from its CONNECT on, until its connection closes or it is refused.
import { clearTimeout, setTimeout } from "node:timers"; // Node's own in every runtime, with `unref`
import { inspect } from "node:util";
import type { Namespace } from "socket.io";
import { interceptAnswer, interceptEntries, namespacesOf, Type, type Client } from "./internals";
import { stopSweeping } from "./recovery";

/** What is known of a name: how many connections hold it, and its namespace as soon as there is one. */
type Lifetime = { holders: number; namespace?: Namespace; countdown?: NodeJS.Timeout | undefined };
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
  const heldBy = new WeakMap<Client, Set<string>>();

  /** Begins the lifetime of a namespace that is new. */
  function begin(namespace: Namespace): void {
    const { name, adapter } = namespace;
    const older = byName.get(name);
    if (older?.namespace) retire(older.namespace); // Socket.IO itself has removed it from the server
    const lifetime: Lifetime = { holders: older?.holders ?? 0, namespace };
    byName.set(name, lifetime);
    if (lifetime.holders === 0) startCountdown(lifetime);
    interceptEntries(namespace, hold);
    const { close } = adapter;
    adapter.close = () => {
      adapter.close = () => {}; // once is enough: `io.close()` closes those of all namespaces, a retirement its own
      return close.call(adapter);
    };
  }

  /** Holds a namespace, even one yet to come, until the client is refused or its connection closes; true if that is new. */
  function hold(client: Client, name: string): boolean {
    if (client.conn.readyState === "closed") return false;
    interceptAnswer(client, name, ({ type }) => {
      if (type === Type.CONNECT_ERROR) release(client, name);
      return true;
    });
    let held = heldBy.get(client);
    if (!held) {
      heldBy.set(client, (held = new Set()));
      client.conn.on("close", () => heldBy.get(client)!.forEach((name) => release(client, name)));
    }
    if (held.has(name)) return false;
    held.add(name);
    const lifetime: Lifetime = byName.get(name) ?? { holders: 0 };
    byName.set(name, lifetime);
    lifetime.holders++;
    clearTimeout(lifetime.countdown);
    lifetime.countdown = undefined; // a timer that has been stopped still takes memory
    return true;
  }

  /** Lets go of a namespace, if the client holds it. */
  function release(client: Client, name: string): void {
    if (!heldBy.get(client)?.delete(name)) return;
    const lifetime = byName.get(name)!;
    if (--lifetime.holders > 0) return;
    if (lifetime.namespace) startCountdown(lifetime);
    else byName.delete(name);
  }

  function startCountdown(lifetime: Lifetime): void {
    if (retireAfter === Infinity) return;
    lifetime.countdown = setTimeout(() => retire(lifetime.namespace!), retireAfter).unref(); // a closed server may end its process
  }

  function retire(namespace: Namespace): void {
    const { name, server, adapter } = namespace;
    const lifetime = byName.get(name)!;
    clearTimeout(lifetime.countdown);
    lifetime.namespace = undefined;
    if (lifetime.holders === 0) byName.delete(name); // else it is kept for the next namespace of this name
    if (namespacesOf(server).get(name) === namespace) namespacesOf(server).delete(name);
    stopSweeping(adapter);
    new Promise((resolve) => resolve(adapter.close())).catch((err) => {
      process.emitWarning(`The adapter of ${name}, which was retired, did not close: ${inspect(err)}`);
    });
    onRetired(namespace);
  }

  return { begin, hold, release, retire };
}
