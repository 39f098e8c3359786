import type { Lifetime } from "../../compiler/index.js";

/**
 * Gives each lifetime a slot that no other uses at the same time, for memory that can't be cut from one arena: WebGPU forbids a
 * buffer to be read and written in the same launch, even in different parts. In order of first use, each takes the smallest free slot that
 * holds it, else the largest free one, which grows. Returns each one's slot and each slot's bytes.
 */
export function assignSlots(lifetimes: readonly Lifetime[]): { slots: number[]; bytes: number[] } {
  const slots = new Array<number>(lifetimes.length).fill(0);
  const bytes: number[] = [];
  const busyUntil: number[] = [];
  const order = lifetimes
    .map((_, i) => i)
    .sort((a, b) => lifetimes[a]!.first - lifetimes[b]!.first || lifetimes[b]!.bytes - lifetimes[a]!.bytes);
  for (const i of order) {
    const { first, last, bytes: wanted } = lifetimes[i]!;
    let best = -1;
    bytes.forEach((size, slot) => {
      if (busyUntil[slot]! >= first) return;
      if (best < 0) best = slot;
      else if (bytes[best]! < wanted ? size > bytes[best]! : size >= wanted && size < bytes[best]!) best = slot;
    });
    if (best < 0) best = bytes.push(0) - 1;
    bytes[best] = Math.max(bytes[best]!, wanted);
    busyUntil[best] = last;
    slots[i] = best;
  }
  return { slots, bytes };
}
