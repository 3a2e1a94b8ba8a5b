// slots.ts: a Redis Cluster has 16,384 slots. Each channel is in one of them, and each slot has a master, until it moves.

import { randomUUID } from "node:crypto";
import type { Link } from "./link";
import { within } from "./plain";

const SLOTS = 16_384;
export const ASK_WITHIN = 1000; // milliseconds that a server gets to say what it is, and who has which slot

/** The slot of a channel, as Redis computes it: CRC16 (XMODEM) of the name, or of its part in braces. */
export function slotOf(channel: string): number {
  let crc = 0;
  for (const byte of Buffer.from(/^[^{]*\{([^}]+)\}/.exec(channel)?.[1] ?? channel)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  }
  return crc & (SLOTS - 1);
}

/** A channel that nobody uses, of the kind that will be used, in a slot of this master. */
export function channelAt(master: string, masters: string[]): string {
  for (;;) {
    const channel = `socket.io#/#${randomUUID()}#`;
    if ((masters[slotOf(channel)] ?? "") === master) return channel;
  }
}

/**
 * Asks a server of a Redis Cluster for the master of each slot.
 *
 * @param before - the masters as they were; a slot that has none now keeps its last one
 * @returns `host:port` of each slot's master, or `""` where it never had one
 */
export async function mastersOf({ client, url }: Link, before: string[]): Promise<string[]> {
  const masters = Array.from({ length: SLOTS }, (_, slot) => before[slot] ?? "");
  for (const { from, to, master } of await within(ASK_WITHIN, client.clusterSlots())) {
    const known = master.host && master.host !== "?"; // it may know none, and then it is where the asked one is
    const host = !known ? url.hostname : master.host.includes(":") ? `[${master.host}]` : master.host;
    masters.fill(`${host}:${master.port}`, from, to + 1);
  }
  return masters;
}
