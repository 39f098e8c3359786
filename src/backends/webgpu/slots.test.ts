import fc from "fast-check";
import { expect, it } from "vitest";
import { assignSlots } from "./slots.js";

const lifetimes = fc.array(
  fc
    .record({ bytes: fc.nat(1000), first: fc.nat(20), length: fc.nat(8) })
    .map(({ bytes, first, length }) => ({ bytes, first, last: first + length })),
  { maxLength: 30 },
);

it("gives no slot to two that live at the same time, and every slot room for all of its own", () => {
  fc.assert(
    fc.property(lifetimes, (list) => {
      const { slots, bytes } = assignSlots(list);
      list.forEach((a, i) => {
        expect(bytes[slots[i]!]).toBeGreaterThanOrEqual(a.bytes);
        list.slice(0, i).forEach((b, k) => {
          if (slots[i] === slots[k]) expect(a.first > b.last || b.first > a.last).toBe(true);
        });
      });
    }),
  );
});

it("uses a slot again rather than a new one", () => {
  const chain = Array.from({ length: 10 }, (_, i) => ({ bytes: 100 + i, first: i, last: i + 1 }));
  expect(assignSlots(chain).bytes).toHaveLength(2);
});
