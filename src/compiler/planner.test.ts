import fc from "fast-check";
import { expect, test } from "vitest";
import { placeInArena } from "./planner.js";

const lifetime = fc.record({ bytes: fc.nat(5000), first: fc.nat(30), length: fc.nat(10) });

test("regions that live at the same time never overlap, and offsets are multiples of 64", () => {
  fc.assert(
    fc.property(fc.array(lifetime, { maxLength: 40 }), (list) => {
      const regions = list.map(({ bytes, first, length }) => ({ bytes, first, last: first + length }));
      const { offsets, bytes } = placeInArena(regions);
      regions.forEach((a, i) => {
        expect(offsets[i]! % 64).toBe(0);
        expect(offsets[i]! + a.bytes).toBeLessThanOrEqual(bytes);
        regions.slice(0, i).forEach((b, j) => {
          const together = a.first <= b.last && b.first <= a.last;
          const overlap = offsets[i]! < offsets[j]! + b.bytes && offsets[j]! < offsets[i]! + a.bytes;
          expect(together && overlap && a.bytes > 0 && b.bytes > 0).toBe(false);
        });
      });
    }),
  );
});

test("memory is used again once its region is dead", () => {
  const { bytes } = placeInArena([
    { bytes: 1000, first: 0, last: 1 },
    { bytes: 1000, first: 1, last: 2 },
    { bytes: 1000, first: 2, last: 3 },
  ]);
  expect(bytes).toBe(2048);
});
