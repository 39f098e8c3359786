import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Dim } from "../graph/index.js";
import { broadcastShapes } from "../tensor/index.js";
import { broadcastDims, broadcastTypes, isConcrete, normalizeAxes, unifyDim } from "./infer.js";

/** Shapes that broadcast: a target, each with leading axes dropped and some dimensions made 1. */
const broadcastable = fc
  .tuple(fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }), fc.integer({ min: 1, max: 3 }))
  .chain(([target, count]) =>
    fc.array(
      fc
        .tuple(fc.nat({ max: target.length }), fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }))
        .map(([drop, ones]) => target.slice(drop).map((dim, axis) => (ones[axis] ? 1 : dim))),
      { minLength: count, maxLength: count },
    ),
  );

describe("broadcastDims", () => {
  test("is NumPy's broadcasting where all dimensions are numbers", () => {
    fc.assert(
      fc.property(broadcastable, (shapes) => {
        expect(broadcastDims(...shapes)).toEqual(broadcastShapes(...shapes));
      }),
    );
  });

  test("says nothing false of named dimensions", () => {
    const named = fc.tuple(broadcastable, fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }));
    fc.assert(
      fc.property(named, ([shapes, asName]) => {
        let next = 0;
        const symbolic = shapes.map((shape) =>
          shape.map((dim): Dim => (asName[next++ % asName.length] ? `n${dim}` : dim)),
        );
        const actual = broadcastShapes(...shapes);
        const inferred = broadcastDims(...symbolic)!;
        expect(inferred).toHaveLength(actual.length);
        inferred.forEach((dim, axis) => {
          if (typeof dim === "number") expect(dim).toBe(actual[axis]);
          else if (!dim.startsWith("broadcast")) expect(dim).toBe(`n${actual[axis]}`);
        });
      }),
    );
  });

  test("a number other than 1 decides, 1 yields, and two names make a third", () => {
    expect(broadcastDims(["n", 1, "n"], [3, "m", "m"])).toEqual([3, "m", "broadcast(n,m)"]);
    expect(broadcastDims(["n"], null)).toBeNull();
  });

  test("refuses numbers that differ", () => {
    expect(() => broadcastDims([2, "n"], [3, "n"])).toThrow(/do not broadcast/);
  });
});

test("broadcastTypes refuses inputs of different dtypes unless told the result's", () => {
  const a = { type: { dtype: "float32", shape: [2] } } as const;
  const b = { type: { dtype: "int64", shape: [1] } } as const;
  expect(() => broadcastTypes([a, b])).toThrow(/dtypes differ/);
  expect(broadcastTypes([a, b], "bool")).toEqual({ dtype: "bool", shape: [2] });
});

test("unifyDim prefers the number and refuses two", () => {
  expect(unifyDim("n", 4)).toBe(4);
  expect(unifyDim("n", "m")).toBe("n");
  expect(() => unifyDim(3, 4)).toThrow(/3 and 4 differ/);
});

test("normalizeAxes counts from the front and refuses repeats", () => {
  expect(normalizeAxes([-1, 0], 3)).toEqual([0, 2]);
  expect(() => normalizeAxes([-1, 2], 3)).toThrow(/repeat/);
  expect(() => normalizeAxes([3], 3)).toThrow(/outside/);
});

test("isConcrete", () => {
  expect([isConcrete([1, 2]), isConcrete([]), isConcrete([1, "n"]), isConcrete(null)]).toEqual([
    true,
    true,
    false,
    false,
  ]);
});
