import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AttributeLike, GraphBuilder } from "../../../../graph/index.js";
import { Tensor } from "../../../../tensor/index.js";
import { compare, deviceInfo } from "../batch-matmul/harness.node.js";
import { attentionKernels } from "./index.js";

/** Numbers in [-2, 2) that depend on the seed alone. */
const filled = (shape: readonly number[], seed: number): Tensor => {
  let state = seed | 1;
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < data.length; i++) {
    state = Math.imul(state, 1664525) + 1013904223;
    data[i] = state / 2 ** 30;
  }
  return new Tensor("float32", shape, data);
};

const seen = (shape: readonly number[], seed: number): Tensor =>
  new Tensor(
    "bool",
    shape,
    Uint8Array.from(filled(shape, seed).data as Float32Array, (v) => (v > -1 ? 1 : 0)),
  );

/**
 * Scores of |q|, |k| < 2 round by 4·d·(d + 2)·2^-24·scale at worst, a relative error of the probabilities; each weighs values below 2.
 * Summing n of them adds a relative n·2^-24, the exponential 4 ulp.
 */
const tolerance = (d: number, n: number, scale: number): number =>
  2 * 2 ** -24 * (2 * 4 * d * (d + 2) * scale + 2 * n + 16);

interface Options {
  readonly op?: string;
  readonly attributes?: Readonly<Record<string, AttributeLike>>;
  readonly outputs?: number;
}

function check(inputs: readonly (Tensor | null)[], limit: number, options: Options = {}): void {
  const { op = "Attention", attributes = {}, outputs = 1 } = options;
  const builder = new GraphBuilder();
  const feeds: Tensor[] = [];
  const values = inputs.map((tensor, i) => {
    if (tensor === null) return null;
    feeds.push(tensor);
    return builder.input(`x${i}`, tensor.dtype, tensor.shape);
  });
  const domain = op === "Attention" ? "" : "com.microsoft";
  for (const y of builder.addMany(op, values, outputs, attributes, { domain, version: domain ? 1 : 23 }))
    builder.output(y);
  for (const relaxed of [true, false]) {
    const result = compare(builder.build(), feeds, attentionKernels, deviceInfo(relaxed && deviceInfo().relaxed));
    result!.actual.forEach((actual, o) => {
      expect(actual.shape).toEqual(result!.expected[o]!.shape);
      const [x, y] = [actual.numbers(), result!.expected[o]!.numbers()];
      for (let i = 0; i < x.length; i++)
        if (!(Math.abs(x[i]! - y[i]!) <= limit)) expect([o, i, x[i]]).toEqual([o, i, y[i]]);
    });
  }
}

const length = fc.oneof(fc.integer({ min: 1, max: 12 }), fc.constantFrom(23, 24, 25, 50, 96, 97, 200));
const shapes = fc.record({
  batch: fc.integer({ min: 1, max: 2 }),
  kvHeads: fc.integer({ min: 1, max: 2 }),
  sharing: fc.integer({ min: 1, max: 3 }),
  t: length,
  s: length,
  d: fc.integer({ min: 1, max: 20 }),
  dv: fc.integer({ min: 4, max: 20 }),
});

describe("attention kernel", () => {
  it("does what Attention says, heads apart, masks broadcast", () => {
    const axes = fc.array(fc.boolean(), { minLength: 3, maxLength: 3 });
    const mask = fc.constantFrom("none", "float32", "bool");
    fc.assert(
      fc.property(
        shapes,
        mask,
        axes,
        fc.boolean(),
        fc.integer({ min: 1, max: 4 }),
        (p, kind, repeats, causal, rank) => {
          const { batch, kvHeads, t, s, d, dv } = p;
          const heads = kvHeads * p.sharing;
          const full = [batch, heads, t, s].map((n, i) => (repeats[i] ? 1 : n)).slice(4 - rank);
          const m = kind === "none" ? null : kind === "bool" ? seen(full, s) : filled(full, s);
          const inputs = [
            filled([batch, heads, t, d], t),
            filled([batch, kvHeads, s, d], 7),
            filled([batch, kvHeads, s, dv], 9),
            m,
          ];
          check(inputs, tolerance(d, s, 1 / Math.sqrt(d)), { attributes: { is_causal: causal ? 1 : 0 } });
        },
      ),
      { numRuns: 120 },
    );
  });

  it("takes heads side by side, and a scale", () => {
    fc.assert(
      fc.property(shapes, ({ batch, kvHeads, sharing, t, s, d, dv }) => {
        const heads = kvHeads * sharing;
        const inputs = [
          filled([batch, t, heads * d], t),
          filled([batch, s, kvHeads * d], 7),
          filled([batch, s, kvHeads * dv], 9),
        ];
        const scale = { kind: "float", value: 0.25 } as const;
        check(inputs, tolerance(d, s, 0.25), { attributes: { q_num_heads: heads, kv_num_heads: kvHeads, scale } });
      }),
      { numRuns: 60 },
    );
  });

  it("joins caches with what comes", () => {
    fc.assert(
      fc.property(
        shapes,
        length,
        fc.boolean(),
        fc.boolean(),
        ({ batch, kvHeads, sharing, t, s, d, dv }, past, presents, flat) => {
          const heads = kvHeads * sharing;
          const [q, k, v] = flat
            ? [
                [batch, t, heads * d],
                [batch, s, kvHeads * d],
                [batch, s, kvHeads * dv],
              ]
            : [
                [batch, heads, t, d],
                [batch, kvHeads, s, d],
                [batch, kvHeads, s, dv],
              ];
          const inputs = [
            filled(q!, t),
            filled(k!, 7),
            filled(v!, 9),
            null,
            filled([batch, kvHeads, past, d], 3),
            filled([batch, kvHeads, past, dv], 5),
          ];
          check(inputs, tolerance(d, s + past, 1 / Math.sqrt(d)), {
            attributes: { is_causal: 1, ...(flat ? { q_num_heads: heads, kv_num_heads: kvHeads } : {}) },
            outputs: presents ? 3 : 1,
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  it("gives zeros where every key is hidden, and hides keys that a short mask does not reach", () => {
    for (const t of [2, 30]) {
      const inputs = [filled([1, 1, t, 8], 1), filled([1, 1, 10, 8], 2), filled([1, 1, 10, 8], 3)];
      const hidden = new Tensor("bool", [t, 10], new Uint8Array(t * 10));
      check([...inputs, hidden], 0);
      check([...inputs, filled([t, 6], 4)], tolerance(8, 10, 1));
    }
  });

  it("stays exact in its softmax when scores are far apart", () => {
    const q = Tensor.from(
      "float32",
      [1, 1, 30, 4],
      Float32Array.from({ length: 120 }, (_, i) => ((i * 7) % 41) - 20),
    );
    const k = Tensor.from(
      "float32",
      [1, 1, 200, 4],
      Float32Array.from({ length: 800 }, (_, i) => ((i * 11) % 37) - 18),
    );
    const one = { kind: "float", value: 1 } as const;
    check([q, k, filled([1, 1, 200, 4], 3)], tolerance(4, 200, 1), { attributes: { scale: one } }); // integers: scores are exact
  });

  it("does what MultiHeadAttention says", () => {
    const mask = fc.constantFrom("none", "bias", "lengths", "keys");
    fc.assert(
      fc.property(
        shapes,
        mask,
        fc.boolean(),
        fc.boolean(),
        ({ batch, kvHeads: heads, t, s, d, dv }, kind, biased, causal) => {
          const bias = biased ? filled([heads * (2 * d + dv)], 5) : null;
          const lengths = Int32Array.from({ length: batch }, (_, n) => (n + 2) % (s + 1));
          const kept = Int32Array.from({ length: batch * s }, (_, i) => (i % 3 === 0 ? 0 : 1));
          const padding =
            kind === "lengths"
              ? new Tensor("int32", [batch], lengths)
              : kind === "keys"
                ? new Tensor("int32", [batch, s], kept)
                : null;
          const added = kind === "bias" ? filled([1, heads, t, s], 5) : null;
          const inputs = [
            filled([batch, t, heads * d], t),
            filled([batch, s, heads * d], 7),
            filled([batch, s, heads * dv], 9),
          ];
          // The bias doubles queries and keys; the number that hides (-100 here, exact to 2^-17 once added) rounds the scores.
          check([...inputs, bias, padding, added], 4 * tolerance(d, s, 1 / Math.sqrt(d)) + 2 ** -16, {
            op: "MultiHeadAttention",
            attributes: {
              num_heads: heads,
              unidirectional: causal ? 1 : 0,
              mask_filter_value: { kind: "float", value: -100 },
            },
          });
        },
      ),
      { numRuns: 100 },
    );
  });
});
