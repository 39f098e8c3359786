import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DATA_TYPES, type DataType, sizeOf, stridesOf, Tensor } from "../../tensor/index.js";
import { concatenate, cut, permute, slotsOf, stack, take } from "./move.js";

/** 0, 1, 2, … in any dtype, modulo what it holds exactly. */
function counting(dtype: DataType, shape: readonly number[]): Tensor {
  const limit = { int4: 8, uint4: 16, bool: 2, int8: 128, uint8: 256, bfloat16: 256 }[dtype as string] ?? 2048;
  return Tensor.from(
    dtype,
    shape,
    Array.from({ length: sizeOf(shape) }, (_, i) => i % limit),
  );
}

const shapes = fc.array(fc.nat({ max: 4 }), { minLength: 1, maxLength: 4 });
const dtypes = fc.constantFrom(...DATA_TYPES);

/** The element at a multi-index. */
const at = (x: Tensor, index: readonly number[]): unknown => {
  const strides = stridesOf(x.shape);
  return slotsOf(x)[index.reduce((sum, i, axis) => sum + i * strides[axis]!, 0)];
};

function* indicesOf(shape: readonly number[]): Generator<number[]> {
  for (let i = 0; i < sizeOf(shape); i++)
    yield stridesOf(shape).map((stride, axis) => Math.floor(i / stride) % shape[axis]!);
}

describe("moving elements of every dtype", () => {
  it("permutes axes", () => {
    fc.assert(
      fc.property(dtypes, shapes, fc.infiniteStream(fc.nat()), (dtype, shape, random) => {
        const x = counting(dtype, shape);
        const keys = shape.map(() => random.next().value as number);
        const perm = shape.map((_, i) => i).sort((a, b) => keys[a]! - keys[b]!);
        const y = permute(x, perm);
        expect(y.dtype).toBe(dtype);
        expect(y.shape).toEqual(perm.map((axis) => shape[axis]));
        for (const index of indicesOf(y.shape)) {
          const source = shape.map((_, axis) => index[perm.indexOf(axis)]!);
          expect(at(y, index)).toEqual(at(x, source));
        }
      }),
      { numRuns: 60 },
    );
  });

  it("takes slices, repeated, in any order or filled", () => {
    fc.assert(
      fc.property(dtypes, shapes, fc.nat(), fc.array(fc.nat(), { maxLength: 5 }), (dtype, shape, a, picks) => {
        const x = counting(dtype, shape);
        const axis = a % shape.length;
        const indices = picks.map((p) => (p % (shape[axis]! + 1)) - 1);
        const fill = dtype === "string" ? new Tensor("string", [], ["fill"]) : Tensor.scalar(dtype, 1);
        const y = take(x, axis, indices, fill);
        expect(y.shape).toEqual(shape.with(axis, indices.length));
        for (const index of indicesOf(y.shape)) {
          const from = indices[index[axis]!]!;
          expect(at(y, index)).toEqual(from < 0 ? slotsOf(fill)[0] : at(x, index.with(axis, from)));
        }
      }),
      { numRuns: 60 },
    );
  });

  it("concatenates what it cut", () => {
    fc.assert(
      fc.property(dtypes, shapes, fc.nat(), fc.nat(), (dtype, shape, a, b) => {
        const x = counting(dtype, shape);
        const axis = a % shape.length;
        const middle = b % (shape[axis]! + 1);
        const parts = [cut(x, axis, 0, middle), cut(x, axis, middle, shape[axis]! - middle)];
        const joined = concatenate(parts, axis);
        expect(joined.shape).toEqual(shape);
        expect(joined.data).toEqual(x.data);
      }),
      { numRuns: 60 },
    );
  });

  it("stacks along any axis, runs longer than 32 included", () => {
    const [a, b] = [counting("float32", [2, 40]), counting("float32", [2, 40])];
    const y = stack([a, b], 1);
    expect(y.shape).toEqual([2, 2, 40]);
    expect(cut(y, 1, 1, 1).data).toEqual(b.data);
  });
});
