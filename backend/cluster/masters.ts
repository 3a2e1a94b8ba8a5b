// masters.ts: the servers that have the channels, and a link to each. One Redis has them all; the masters of a Redis
// Cluster share them. node-redis' own cluster client knows them too, but where slots move while namespaces come and go,
// it stays subscribed to some channels at the master that they have left.

import { EVERY, Link } from "./link";
import { logOf, plain, within } from "./plain";
import { ASK_WITHIN, channelAt, mastersOf, slotOf } from "./slots";
import type { ErrorReply } from "redis";
import type { Listener } from "./subscriptions";

/** Links to one Redis, or to all masters of a Redis Cluster. */
export class Masters {
  private readonly listeners = new Map<string, Listener>();
  private readonly links = new Map<string, Link>(); // by `host:port`; by "" where one Redis has all channels
  private masters: string[] = []; // of the slots: `host:port`; none where one Redis has all channels
  private following: Promise<void> | undefined;
  private next: Promise<void> | undefined;
  private informed: Link | undefined; // it has reported a change
  private turn = 0;
  private clock: NodeJS.Timeout | undefined;
  private closed = false;

  /**
   * @param url - the address of a Redis server, or of any node of a Redis Cluster
   * @param name - of that server in messages
   * @param onRefused - called with what Redis has answered to a subscription in place of taking it
   */
  constructor(
    private readonly url: URL,
    private readonly name: string,
    private readonly onRefused: (err: ErrorReply) => void,
  ) {}

  /** Connects, and proves that this node may do what it will have to, on each master; rejects if not. */
  async start(): Promise<void> {
    const seed = this.link();
    this.links.set("", seed);
    await seed.start();
    if ((await within(ASK_WITHIN, seed.client.hello())).mode === "cluster") {
      this.masters = await mastersOf(seed, []);
      if (this.masters.includes("")) throw new Error("it is a Redis Cluster, and some of its slots have no master");
      this.links.delete("");
      await seed.close();
      for (const address of new Set(this.masters)) this.links.set(address, this.link(address));
    }
    await Promise.all([...this.links].map(([address, link]) => this.prove(address, link)));
    for (const link of this.links.values()) link.stay();
    this.clock = setInterval(() => void this.follow(), EVERY).unref();
  }

  /** The link to the server that has a channel. */
  of(channel: string): Link {
    return this.links.get(this.masters[slotOf(channel)] ?? "")!;
  }

  subscribe(channel: string, listener: Listener): void {
    this.listeners.set(channel, listener);
    this.of(channel).subscriptions.add(channel, listener);
  }

  unsubscribe(channel: string): void {
    this.listeners.delete(channel);
    this.of(channel).subscriptions.remove(channel);
  }

  /** The subscriptions that are on their way, of channels that begin like this. */
  pending(channel: string): Promise<void>[] {
    return [...this.links.values()].flatMap(({ subscriptions }) => subscriptions.pending(channel));
  }

  /** Asks a master who has which slot, `informed` if it can, and moves the channels after them; not twice at a time. */
  follow(informed?: Link): Promise<void> {
    if (this.masters.length === 0) return Promise.resolve(); // one Redis has all
    this.informed = informed ?? this.informed;
    this.next ??= Promise.resolve(this.following)
      .then(() => {
        this.following = this.next;
        this.next = undefined;
        return this.move();
      })
      .catch(() => {}); // another one is asked soon
    return this.next;
  }

  /** Closes all links, when Redis has what was published, after a quarter of a second at the latest. */
  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.clock);
    const last = Promise.all(this.pending("")).then(() => {});
    await Promise.all([...this.links.values()].map((link) => link.close(last)));
  }

  private async prove(address: string, link: Link): Promise<void> {
    try {
      if (address) await link.start();
      await link.prove(channelAt(address, this.masters));
    } catch (err) {
      throw address ? new Error(`its master ${address}: ${plain(err)}`) : err;
    }
  }

  /** A link to the server of the URL, or to a master of its cluster. */
  private link(address?: string): Link {
    const url = new URL(this.url);
    if (address) [url.hostname, url.port] = /^(.*):(\d+)$/.exec(address)!.slice(1) as [string, string];
    const link: Link = new Link(url, {
      ...logOf(this.name, address),
      onRefused: this.onRefused,
      onMoved: () => void this.follow(link),
    });
    return link;
  }

  /** All masters are lost: the address that this node was given may still lead to the cluster. */
  private askAnew(before: string[]): Promise<string[]> {
    const seed = this.link();
    const asked = seed.start().then(() => mastersOf(seed, before));
    return asked.finally(() => seed.close());
  }

  private async move(): Promise<void> {
    const { links, masters: before } = this;
    const ready = [...links.values()].filter(({ client }) => client.isReady);
    const link = this.informed?.client.isReady ? this.informed : ready[this.turn++ % ready.length];
    this.informed = undefined;
    const masters = link ? await mastersOf(link, before) : await this.askAnew(before);
    if (this.closed || masters.every((address, slot) => address === before[slot])) return;

    this.masters = masters;
    const addresses = new Set(masters);
    for (const address of addresses) {
      if (links.has(address)) continue;
      links.set(address, this.link(address));
      links.get(address)!.stay();
    }
    for (const [channel, listener] of this.listeners) {
      const slot = slotOf(channel);
      if (before[slot] === masters[slot]) continue;
      links.get(before[slot]!)!.subscriptions.remove(channel);
      links.get(masters[slot]!)!.subscriptions.add(channel, listener);
    }
    for (const [address, left] of links) {
      if (addresses.has(address)) continue;
      links.delete(address);
      if (left.isLost) console.log(`The master ${address} of ${this.name} is replaced.`);
      void left.close();
    }
  }
}
