import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { GraphBuilder, type Model } from "../graph/index.js";
import { sparsityOf } from "../sparsity/index.js";
import { Tensor } from "../tensor/index.js";
import { WeightNormSparsifier, weightNormMask } from "./weight-norm.js";

const GOLDEN = fileURLToPath(new URL("../../../shared/data/golden-pytorch/golden-pytorch.json", import.meta.url));

interface Golden {
  weight: number[][];
  cases: {
    sparsity_level: number;
    sparse_block_shape: [number, number];
    zeros_per_block: number;
    norm: 1 | 2;
    mask: number[][];
  }[];
}

describe.skipIf(!existsSync(GOLDEN))("torch.ao.sparsity's own masks (needs ../shared/data/golden-pytorch)", () => {
  const { weight, cases } = existsSync(GOLDEN)
    ? (JSON.parse(readFileSync(GOLDEN, "utf8")).weight_norm as Golden)
    : { weight: [], cases: [] };
  const matrix = { rows: weight.length, cols: weight[0]?.length ?? 0, data: Float32Array.from(weight.flat()) };
  test.each(
    cases.map(
      (golden) =>
        [
          `${golden.sparsity_level} ${golden.sparse_block_shape} ${golden.zeros_per_block} norm ${golden.norm}`,
          golden,
        ] as const,
    ),
  )("%s", (_, golden) => {
    const mask = weightNormMask(matrix, {
      sparsityLevel: golden.sparsity_level,
      sparseBlockShape: golden.sparse_block_shape,
      zerosPerBlock: golden.zeros_per_block,
      norm: golden.norm,
    });
    expect([...mask.data]).toEqual(golden.mask.flat().map(Number));
  });
});

describe("achieved sparsity on equal weights", () => {
  const ones = { rows: 12, cols: 12, data: new Float32Array(144).fill(1) };
  for (const level of [-1, 0, 0.5, 1, 2]) {
    for (const shape of [
      [1, 1],
      [1, 4],
      [2, 2],
      [4, 1],
    ] as const) {
      for (let zeros = 0; zeros <= Math.min(4, shape[0] * shape[1]); zeros++) {
        test(`level ${level}, block ${shape}, ${zeros} zeros`, () => {
          const mask = weightNormMask(ones, { sparsityLevel: level, sparseBlockShape: shape, zerosPerBlock: zeros });
          const share = Math.min(Math.max(level, 0), 1) * (zeros / (shape[0] * shape[1]));
          expect(sparsityOf(mask)).toBeCloseTo(share, 12);
        });
      }
    }
  }
});

const modelOf = (weights: number[], shape: [number, number]): Model => {
  const b = new GraphBuilder();
  const x = b.input("x", "float32", ["n", shape[0]]);
  b.output(b.add("MatMul", [x, b.constant(Tensor.from("float32", shape, weights), "w")]), "y");
  return { graph: b.build(), opsets: new Map([["", 21]]), irVersion: 10, producer: "", metadata: new Map() };
};

describe("the sparsifier", () => {
  const options = { sparsityLevel: 1, sparseBlockShape: [1, 4], zerosPerBlock: 2 } as const;
  test("groups run along the inputs of MatMul's [inputs, outputs] weight", () => {
    const sparsifier = new WeightNormSparsifier(options);
    sparsifier.prepare(modelOf([1, -5, 4, -6, 2, 7, 3, 8], [4, 2]));
    sparsifier.step();
    const squashed = sparsifier.squashMask();
    const [constant] = [...squashed.graph.constants.values()] as [Tensor];
    expect([...constant.numbers()]).toEqual([0, 0, 4, 0, 0, 7, 3, 8]);
  });
  test("a second step finds the same zeros, and what is zero stays zero", () => {
    const sparsifier = new WeightNormSparsifier(options);
    sparsifier.prepare(modelOf([4, 3, 2, 1], [4, 1]));
    sparsifier.step();
    const first = [...sparsifier.masks.get("w")!.data];
    sparsifier.step();
    expect([...sparsifier.masks.get("w")!.data]).toEqual(first);
    expect(first).toEqual([1, 1, 0, 0]);
  });
  test("more zeros than a block has, and names that are no weights, are errors", () => {
    expect(() => new WeightNormSparsifier({ zerosPerBlock: 5 }).prepare(modelOf([1, 2, 3, 4], [4, 1]))).toThrow(
      /cannot be more/,
    );
    expect(() => new WeightNormSparsifier().prepare(modelOf([1], [1, 1]), [{ tensorFqn: "v" }])).toThrow(
      /no weight 'v'/,
    );
  });
});
