import { describe, expect, it } from "vitest";
import type { Graph, Value } from "../../src/graph/index.js";
import type { Tensor } from "../../src/tensor/index.js";
import { randomSource, randomTensor } from "../support/random.js";
import { evaluate, expectClose, fusedOps, Primitives, runFused, runWasm } from "./support.js";

const [BATCH, HEADS, ROWS, SIZE] = [2, 3, 5, 12];

interface Spelling {
  /** Elements of each head that are rotated. */
  readonly rotated: number;
  readonly interleaved: boolean;
  /** [batch, rows, heads, size] rather than [batch, heads, rows, size]. */
  readonly rowsFirst?: boolean;
  /** Angles come as an input rather than as constants. */
  readonly fed?: boolean;
  /** Caches that do not repeat their elements. */
  readonly unequal?: boolean;
  /** The rotated half is an output of the graph too. */
  readonly seen?: boolean;
}

/** Rotary embedding as exporters write it. */
function spelled(s: Spelling): { graph: Graph; feeds: Tensor[] } {
  const b = new Primitives();
  const random = randomSource(3);
  const shape = s.rowsFirst ? [BATCH, ROWS, HEADS, SIZE] : [BATCH, HEADS, ROWS, SIZE];
  const whole = b.input("x", "float32", shape);
  const feeds = [randomTensor(random, shape)];
  const half = s.rotated / 2;
  const x = s.rotated === SIZE ? whole : b.slice(whole, 3, 0, s.rotated);
  const angles = randomTensor(random, [1, ROWS, half], 0, 6);
  const given = s.fed ? b.input("angles", "float32", [1, ROWS, half]) : b.constant(angles);
  if (s.fed) feeds.push(angles);
  const other = s.unequal ? b.add("Neg", [b.add("Sqrt", [given])]) : given;
  const doubled = s.interleaved
    ? b.reshape(
        b.concat(-1, b.add("Unsqueeze", [given, b.ints(-1)]), b.add("Unsqueeze", [other, b.ints(-1)])),
        1,
        ROWS,
        s.rotated,
      )
    : b.concat(-1, given, other);
  const axis = b.ints(s.rowsFirst ? 2 : 1);
  const [cos, sin] = ["Cos", "Sin"].map((op) => b.add("Unsqueeze", [b.add(op, [doubled]), axis])) as [Value, Value];
  const turned = s.interleaved
    ? b.reshape(
        b.concat(
          -1,
          b.add("Unsqueeze", [b.add("Neg", [b.slice(x, 3, 1, 99, 2)]), b.ints(-1)]),
          b.add("Unsqueeze", [b.slice(x, 3, 0, 99, 2), b.ints(-1)]),
        ),
        ...shape.slice(0, 3),
        s.rotated,
      )
    : b.concat(-1, b.add("Neg", [b.slice(x, 3, half, 99)]), b.slice(x, 3, 0, half));
  const sum = b.add("Add", [b.add("Mul", [x, cos]), b.add("Mul", [turned, sin])]);
  b.output(s.rotated === SIZE ? sum : b.concat(-1, sum, b.slice(whole, 3, s.rotated, 99)));
  if (s.seen) b.output(turned);
  return { graph: b.build(), feeds };
}

/** Two products and a sum: three roundings, in one order or another. */
const ROUNDINGS = 3;
/** Sine and cosine on the device are good to a few units in the last place (src/backends/wasm/math.test.ts). */
const DEVICE_ROUNDINGS = 8;

describe("rotary embedding in primitives", () => {
  const cases: [string, Spelling][] = [
    ["halves", { rotated: SIZE, interleaved: false }],
    ["pairs", { rotated: SIZE, interleaved: true }],
    ["halves of the first elements", { rotated: 8, interleaved: false }],
    ["pairs of the first elements", { rotated: 8, interleaved: true }],
    ["a single pair", { rotated: 2, interleaved: true }],
    ["rows before heads", { rotated: SIZE, interleaved: false, rowsFirst: true }],
    ["angles that are fed, halves", { rotated: SIZE, interleaved: false, fed: true }],
    ["angles that are fed, pairs", { rotated: 8, interleaved: true, fed: true }],
  ];
  it.each(cases)("is recognized: %s", (_, spelling) => {
    const { graph, feeds } = spelled(spelling);
    const expected = evaluate(graph, feeds);
    const ops = fusedOps(graph, feeds);
    expect(ops).toContain("RotaryEmbedding");
    for (const op of ["Neg", "Add", "Mul"]) expect(ops).not.toContain(op);
    expectClose(runFused(graph, feeds), expected, ROUNDINGS);
    expectClose(runWasm(graph, feeds), expected, DEVICE_ROUNDINGS);
  });

  const misses: [string, Spelling][] = [
    ["caches whose second half differs from the first", { rotated: SIZE, interleaved: false, unequal: true }],
    ["caches whose pairs differ", { rotated: SIZE, interleaved: true, unequal: true }],
    ["fed caches whose pairs differ", { rotated: SIZE, interleaved: true, unequal: true, fed: true }],
    ["a rotated half that is an output too", { rotated: SIZE, interleaved: false, seen: true }],
  ];
  it.each(misses)("is not recognized: %s", (_, spelling) => {
    const { graph, feeds } = spelled(spelling);
    expect(fusedOps(graph, feeds)).not.toContain("RotaryEmbedding");
    expectClose(runFused(graph, feeds), evaluate(graph, feeds), ROUNDINGS);
  });

  it("is not recognized where the halves do not change over, or the wrong one is negated", () => {
    for (const [first, second] of [
      [0, 6],
      [6, 6],
    ] as const) {
      const b = new Primitives();
      const x = b.input("x", "float32", [1, 2, 4, 12]);
      const cache = b.floats([4, 12], new Float32Array(48).fill(0.5));
      const part = (start: number): Value => b.slice(x, 3, start, start + 6);
      const turned = b.concat(-1, b.add("Neg", [part(first)]), part(second));
      b.output(b.add("Add", [b.add("Mul", [x, cache]), b.add("Mul", [turned, cache])]));
      const feeds = [randomTensor(randomSource(1), [1, 2, 4, 12])];
      expect(fusedOps(b.build(), feeds)).not.toContain("RotaryEmbedding");
    }
  });

  it("is not recognized where rows share one angle", () => {
    const b = new Primitives();
    const x = b.input("x", "float32", [1, 2, 4, 12]);
    const cache = b.floats([1, 12], new Float32Array(12).fill(0.5));
    const turned = b.concat(-1, b.add("Neg", [b.slice(x, 3, 6, 12)]), b.slice(x, 3, 0, 6));
    b.output(b.add("Add", [b.add("Mul", [x, cache]), b.add("Mul", [turned, cache])]));
    expect(fusedOps(b.build(), [randomTensor(randomSource(1), [1, 2, 4, 12])])).not.toContain("RotaryEmbedding");
  });
});
