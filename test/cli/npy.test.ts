import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { forNumpy, npyBytes, parseNpy } from "../../src/cli/npy.js";
import { type DataType, NonzeroError, Tensor } from "../../src/tensor/index.js";

const DTYPES: readonly DataType[] = [
  "float32",
  "float64",
  "float16",
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "bool",
];

const tensors = fc
  .record({
    dtype: fc.constantFrom(...DTYPES),
    shape: fc.array(fc.nat(4), { maxLength: 4 }),
    seed: fc.array(fc.integer({ min: -100, max: 100 }), { minLength: 1, maxLength: 9 }),
  })
  .map(({ dtype, shape, seed }) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return Tensor.from(
      dtype,
      shape,
      Float64Array.from({ length: size }, (_, i) => seed[i % seed.length]!),
    );
  });

/** A file as numpy.save writes it. */
function file(header: string, data: number[] = [], version = 1): Uint8Array {
  const text = new TextEncoder().encode(header);
  const length = version === 1 ? [text.length & 255, text.length >> 8] : [text.length & 255, text.length >> 8, 0, 0];
  return Uint8Array.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0, ...length, ...text, ...data]);
}

test("what is written is read back, bit for bit, at any offset of a buffer", () => {
  fc.assert(
    fc.property(tensors, fc.nat(7), (tensor, offset) => {
      const bytes = npyBytes(tensor);
      const shifted = new Uint8Array(bytes.length + offset);
      shifted.set(bytes, offset);
      const read = parseNpy(shifted.subarray(offset));
      expect(read.dtype).toBe(tensor.dtype);
      expect(read.shape).toEqual(tensor.shape);
      expect(read.bytes()).toEqual(tensor.bytes());
    }),
  );
});

test("the header is NumPy's: magic, version 1.0, padded to 64 bytes, ended by a newline", () => {
  const bytes = npyBytes(Tensor.from("float32", [2], [1, 2]));
  expect([...bytes.subarray(0, 8)]).toEqual([0x93, ..."NUMPY".split("").map((c) => c.charCodeAt(0)), 1, 0]);
  const end = 10 + bytes[8]! + 256 * bytes[9]!;
  expect(end % 64).toBe(0);
  const header = new TextDecoder().decode(bytes.subarray(10, end));
  expect(header).toMatch(/^\{'descr': '<f4', 'fortran_order': False, 'shape': \(2,\), \} *\n$/);
});

test.each([
  ["versions 2 and 3", file("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n", [0, 0, 128, 63], 2), [1]],
  ["a scalar", file("{'descr': '|u1', 'fortran_order': False, 'shape': (), }\n", [7]), []],
  ["a vector in Fortran order", file("{'descr': '|i1', 'fortran_order': True, 'shape': (2,), }\n", [1, 2]), [2]],
  ["native byte order", file("{'descr': '=i2', 'fortran_order': False, 'shape': (1, 1), }\n", [1, 0]), [1, 1]],
])("%s", (_, bytes, shape) => {
  expect(parseNpy(bytes).shape).toEqual(shape);
});

describe("files that are not what they should be", () => {
  test.each<[string, Uint8Array, string, RegExp]>([
    ["nothing", new Uint8Array(0), "invalid-model", /not a .npy file/],
    ["a picture", Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 0]), "invalid-model", /numpy.save/],
    ["a version to come", file("{}", [], 9), "invalid-model", /format 9/],
    ["a header cut off", file("{'descr': '<f4', }").subarray(0, 14), "invalid-model", /cut off/],
    [
      "too little data",
      file("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", [0, 0]),
      "invalid-model",
      /takes 12 bytes, the file has 2/,
    ],
    [
      "too much",
      file("{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }", [0, 0]),
      "invalid-model",
      /takes 1 bytes/,
    ],
    [
      "a shape that nothing holds",
      file("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999, 99999999), }"),
      "invalid-model",
      /shape/,
    ],
    ["a negative size", file("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }"), "invalid-model", /\(-1,\)/],
    ["a fraction", file("{'descr': '<f8', 'fortran_order': False, 'shape': (1.0,), }"), "invalid-model", /shape/],
    ["no shape", file("{'descr': '<f8', 'fortran_order': False}"), "invalid-model", /no shape/],
    [
      "a record type",
      file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (0,), }"),
      "invalid-model",
      /element type/,
    ],
    [
      "big-endian numbers",
      file("{'descr': '>f4', 'fortran_order': False, 'shape': (0,), }"),
      "unsupported",
      /little-endian/,
    ],
    ["complex numbers", file("{'descr': '<c8', 'fortran_order': False, 'shape': (0,), }"), "unsupported", /float32/],
    [
      "a matrix in Fortran order",
      file("{'descr': '|u1', 'fortran_order': True, 'shape': (1, 1), }", [0]),
      "unsupported",
      /ascontiguousarray/,
    ],
  ])("%s", (_, bytes, code, message) => {
    expect(() => parseNpy(bytes)).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
  });

  test("any damage is a typed error or another array", () => {
    const whole = npyBytes(Tensor.from("float32", [2, 3], [1, 2, 3, 4, 5, 6]));
    fc.assert(
      fc.property(fc.nat(whole.length), fc.nat(127), fc.nat(255), (length, at, byte) => {
        const bytes = whole.slice(0, length);
        if (at < bytes.length) bytes[at] = byte;
        try {
          const { dtype, shape, data } = parseNpy(bytes);
          expect(() => new Tensor(dtype, shape, data)).not.toThrow();
        } catch (error) {
          expect(error).toBeInstanceOf(NonzeroError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

test("dtypes that NumPy does not have are written as ones that hold their values", () => {
  for (const [dtype, as] of [
    ["bfloat16", "float32"],
    ["int4", "int8"],
    ["uint4", "uint8"],
    ["int64", "int64"],
  ] as const) {
    const tensor = Tensor.from(dtype, [3], [1, 2, 3]);
    expect(parseNpy(npyBytes(forNumpy(tensor)))).toMatchObject({ dtype: as, shape: [3] });
    expect([...forNumpy(tensor).numbers()]).toEqual([1, 2, 3]);
  }
  expect(() => npyBytes(new Tensor("string", [1], ["a"]))).toThrow(/no string/);
});
