import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NonzeroError } from "./error.js";
import { broadcastShapes, broadcastStrides, forEachIndex, normalizeAxis, sizeOf, stridesOf } from "./shape.js";

const shapes = fc.array(fc.nat(4), { maxLength: 4 });

/** A shape and some that broadcast to it: axes dropped from the front or set to 1. */
const broadcastable = shapes.chain((target) =>
  fc
    .array(
      fc.tuple(fc.nat(target.length), fc.array(fc.boolean(), { minLength: target.length, maxLength: target.length })),
      {
        minLength: 1,
        maxLength: 3,
      },
    )
    .map((drops) => ({
      target,
      parts: drops.map(([drop, ones]) => target.map((dim, i) => (ones[i] ? 1 : dim)).slice(drop)),
    })),
);

/** All indices of a shape, in row-major order. */
const indices = (shape: readonly number[]): number[][] =>
  shape.reduce<number[][]>(
    (all, dim) => all.flatMap((index) => Array.from({ length: dim }, (_, i) => [...index, i])),
    [[]],
  );

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

describe("broadcastShapes", () => {
  it("finds the shape that all of its parts came from", () => {
    fc.assert(
      fc.property(broadcastable, ({ target, parts }) => {
        expect(broadcastShapes(target, ...parts)).toEqual(target);
        expect(broadcastShapes(...parts, target)).toEqual(target);
      }),
    );
  });

  it("lets 1 and 0 make 0, and refuses other pairs of sizes", () => {
    expect(broadcastShapes([1, 3], [0, 1])).toEqual([0, 3]);
    expect(broadcastShapes()).toEqual([]);
    expect(() => broadcastShapes([2, 3], [4])).toThrow(/\[2,3\] and \[4\] do not broadcast/);
    expect(() => broadcastShapes([0], [2])).toThrow(NonzeroError);
    expect(() => broadcastShapes([2], [0])).toThrow(NonzeroError);
  });
});

describe("broadcastStrides", () => {
  it("read the element that NumPy's rule names", () => {
    fc.assert(
      fc.property(broadcastable, ({ target, parts }) => {
        for (const part of parts) {
          const strides = broadcastStrides(part, target);
          for (const index of indices(target)) {
            const own = index.slice(target.length - part.length).map((i, axis) => (part[axis] === 1 ? 0 : i));
            expect(dot(strides, index)).toBe(dot(stridesOf(part), own));
          }
        }
      }),
    );
  });
});

describe("forEachIndex", () => {
  it("visits each index once, in row-major order, at the offsets of all strides", () => {
    fc.assert(
      fc.property(broadcastable, ({ target, parts }) => {
        const strides = [stridesOf(target), ...parts.map((part) => broadcastStrides(part, target))];
        const seen: number[][] = [];
        forEachIndex(target, strides, (offsets, flat) => {
          expect(offsets[0]).toBe(flat);
          seen.push([...offsets]);
        });
        expect(seen).toEqual(indices(target).map((index) => strides.map((stride) => dot(stride, index))));
      }),
    );
  });
});

describe("sizes, strides and axes", () => {
  it("count the elements", () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        expect(sizeOf(shape)).toBe(indices(shape).length);
        expect(indices(shape).map((index) => dot(stridesOf(shape), index))).toEqual(indices(shape).map((_, i) => i));
      }),
    );
  });

  it("count negative axes from the back", () => {
    expect([normalizeAxis(-1, 3), normalizeAxis(0, 3), normalizeAxis(-3, 3)]).toEqual([2, 0, 0]);
    for (const axis of [3, -4, 0.5, Number.NaN]) expect(() => normalizeAxis(axis, 3)).toThrow(NonzeroError);
    expect(() => normalizeAxis(0, 0)).toThrow(NonzeroError);
  });
});
