import { describe, expect, it } from "vitest";
import { checkOperator } from "../../../test/support/check-operator.js";
import { randomSource, randomTensor } from "../../../test/support/random.js";
import { GraphBuilder } from "../../graph/index.js";
import { sparsify24 } from "../../layouts/index.js";
import { BOTH_WAYS_ALGORITHMS } from "../../sparsity/index.js";
import { NonzeroError, Tensor } from "../../tensor/index.js";
import { evaluateGraph, operators } from "../index.js";

const domain = { domain: "ai.nonzero" };
const random = randomSource(24);

describe("Sparsify24", () => {
  it.each(BOTH_WAYS_ALGORITHMS)("by %s gives the parts of x and of its transpose", (algorithm) => {
    for (const [dtype, rows, cols] of [
      ["float32", 8, 16],
      ["float16", 4, 12],
      ["bfloat16", 20, 4],
      ["float32", 0, 8],
    ] as const) {
      const x = randomTensor(random, [rows, cols], -1, 1, dtype);
      const [packed, meta, packedT, metaT, mask] = checkOperator(
        "Sparsify24",
        [x],
        { algorithm },
        { ...domain, outputs: 5 },
      );
      const { sparse, transposed, mask: tiles } = sparsify24(x, { algorithm });
      expect({ values: packed, indices: meta }).toEqual(sparse.stored.parts);
      expect({ values: packedT, indices: metaT }).toEqual(transposed.stored.parts);
      expect(mask).toEqual(tiles);
    }
  });

  it("feeds ToDense as it is", () => {
    const x = randomTensor(random, [8, 16]);
    const b = new GraphBuilder();
    const [packed, meta, packedT, metaT] = b.addMany("Sparsify24", [b.input("x", "float32", [8, 16])], 5, {}, domain);
    const dense = (indices: typeof meta, values: typeof meta, shape: number[]) => {
      const attributes = { layout: "semi-structured", shape, perm: [0, 1], dtype: 1 };
      return b.add("ToDense", [indices!, values!], attributes, domain);
    };
    b.output(dense(meta, packed, [8, 16]));
    b.output(b.add("Transpose", [dense(metaT, packedT, [16, 8])]));
    const [along, across] = evaluateGraph(b.build(), [x], operators);
    expect(along).toEqual(sparsify24(x).sparse.toDense());
    expect(across).toEqual(along);
  });

  it("refuses what is no matrix of tiles", () => {
    const refused = (x: Tensor, attributes = {}): void => {
      expect(() => checkOperator("Sparsify24", [x], attributes, { ...domain, outputs: 5 })).toThrow(NonzeroError);
    };
    refused(Tensor.zeros("float32", [4, 6]));
    refused(Tensor.zeros("float32", [3, 4]));
    refused(Tensor.zeros("float32", [4, 4, 4]));
    refused(Tensor.zeros("int32", [4, 4]));
    refused(Tensor.zeros("float32", [4, 4]), { algorithm: "causal1122" });
  });
});

describe("Sparsify24Like", () => {
  it("packs another tensor under the mask", () => {
    const mask = sparsify24(randomTensor(random, [12, 8])).mask;
    for (const dtype of ["float32", "float16"] as const) {
      const x = randomTensor(random, [12, 8], -1, 1, dtype);
      const [packed, packedT] = checkOperator("Sparsify24Like", [x, mask], {}, { ...domain, outputs: 2 });
      expect([packed!.dtype, ...packed!.shape, ...packedT!.shape]).toEqual([dtype, 12, 4, 8, 6]);
    }
  });

  it("refuses a mask of another shape, and one that is not 2:4 both ways", () => {
    const run = (x: Tensor, mask: Tensor) => checkOperator("Sparsify24Like", [x, mask], {}, { ...domain, outputs: 2 });
    const x = Tensor.zeros("float32", [8, 8]);
    expect(() => run(x, Tensor.zeros("uint16", [2, 3]))).toThrow(/\[2,3\] tiles do not fit/);
    expect(() => run(x, Tensor.zeros("uint8", [2, 2]))).toThrow(NonzeroError);
    expect(() => run(x, Tensor.from("uint16", [2, 2], [0, 0, 0x0007, 0]))).toThrow(/tile 2 of the mask/);
    expect(() => run(x, Tensor.from("uint16", [2, 2], [0, 0x0111, 0, 0]))).toThrow(/tile 1 of the mask/);
  });
});
