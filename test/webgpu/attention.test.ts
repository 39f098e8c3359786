import fc from "fast-check";
import { it } from "vitest";
import { attentionKernels } from "../../src/backends/webgpu/kernels/attention/index.js";
import type { AttributeLike } from "../../src/graph/index.js";
import { Tensor } from "../../src/tensor/index.js";
import { EXACT, randomTensor, type Tolerance } from "../support/check-kernel.js";
import { checkOperator, describeGpu } from "../support/check-webgpu.js";

const filled = (shape: readonly number[], seed: number): Tensor => randomTensor(shape, seed, 2);

const seen = (shape: readonly number[], seed: number): Tensor =>
  new Tensor(
    "bool",
    shape,
    Uint8Array.from(filled(shape, seed).data as Float32Array, (v) => (v > -1 ? 1 : 0)),
  );

/**
 * Scores of |q|, |k| < 2 round by 4·d·(d + 2)·2^-24·scale at worst, a relative error of the probabilities; each weighs values below 2.
 * Summing n of them adds a relative n·2^-24, exp(x) 3 + 2|x| units, where e^-|x|·|x| is below 1.
 */
const within =
  (d: number, n: number, scale = 1 / Math.sqrt(d)): Tolerance =>
  () =>
    2 * 2 ** -24 * (2 * 4 * d * (d + 2) * scale + 6 * n + 16);

interface Options {
  readonly op?: string;
  readonly attributes?: Readonly<Record<string, AttributeLike>>;
  readonly outputs?: number;
}

function check(inputs: readonly (Tensor | null)[], tolerance: Tolerance, options: Options = {}): Promise<void> {
  const { op = "Attention", attributes = {}, outputs = 1 } = options;
  const opset = op === "Attention" ? { domain: "", version: 23 } : { domain: "com.microsoft", version: 1 };
  return checkOperator({ op, ...opset, inputs, attributes, outputs }, attentionKernels, "attention", tolerance, "own");
}

const length = fc.oneof(fc.integer({ min: 1, max: 12 }), fc.constantFrom(31, 32, 33, 64, 65, 100));
const shapes = fc.record({
  batch: fc.integer({ min: 1, max: 2 }),
  kvHeads: fc.integer({ min: 1, max: 2 }),
  sharing: fc.integer({ min: 1, max: 3 }),
  t: length,
  s: length,
  d: fc.constantFrom(1, 7, 8, 20, 36, 64),
  dv: fc.constantFrom(4, 5, 8, 20, 30, 32),
});

describeGpu("attention on WebGPU", () => {
  it("does what Attention says, heads apart, masks broadcast", async () => {
    const axes = fc.array(fc.boolean(), { minLength: 3, maxLength: 3 });
    const mask = fc.constantFrom("none", "float32", "bool");
    const rank = fc.integer({ min: 1, max: 4 });
    await fc.assert(
      fc.asyncProperty(shapes, mask, axes, fc.boolean(), rank, async (p, kind, repeats, causal, rank) => {
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
        await check(inputs, within(d, s), { attributes: { is_causal: causal ? 1 : 0 } });
      }),
      { numRuns: 12 },
    );
  });

  it("takes heads side by side, caches and a scale", async () => {
    const wide = fc.constantFrom(null, 150);
    const flags = fc.record({ wide, past: fc.option(length), presents: fc.boolean(), flat: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(
        shapes,
        flags,
        async ({ batch, kvHeads, sharing, t, s, d, dv: narrow }, { wide, past, presents, flat }) => {
          const dv = wide ?? narrow;
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
          const cache =
            past === null ? [] : [null, filled([batch, kvHeads, past, d], 3), filled([batch, kvHeads, past, dv], 5)];
          const inputs = [filled(q!, t), filled(k!, 7), filled(v!, 9), ...cache];
          await check(inputs, within(d, s + (past ?? 0), 0.25), {
            attributes: {
              is_causal: 1,
              scale: { kind: "float", value: 0.25 },
              ...(flat ? { q_num_heads: heads, kv_num_heads: kvHeads } : {}),
            },
            outputs: presents ? 3 : 1,
          });
        },
      ),
      { numRuns: 16 },
    );
  });

  it("gives zeros where every key is hidden, and hides keys that a short mask does not reach", async () => {
    for (const t of [2, 40]) {
      const inputs = [filled([1, 1, t, 8], 1), filled([1, 1, 10, 8], 2), filled([1, 1, 10, 8], 3)];
      await check([...inputs, new Tensor("bool", [t, 10], new Uint8Array(t * 10))], EXACT);
      await check([...inputs, filled([t, 6], 4)], within(8, 10));
      const values = Float32Array.from({ length: 10 * t }, (_, i) => (i % 3 ? 0.5 : Number.NEGATIVE_INFINITY));
      await check([...inputs, new Tensor("float32", [t, 10], values)], within(8, 10));
      await check([...inputs, new Tensor("float32", [t, 10], values.fill(Number.NEGATIVE_INFINITY))], EXACT);
    }
  });

  it("stays exact in its softmax when scores are far apart", async () => {
    const q = Float32Array.from({ length: 120 }, (_, i) => ((i * 7) % 41) - 20);
    const k = Float32Array.from({ length: 800 }, (_, i) => ((i * 11) % 37) - 18);
    const inputs = [new Tensor("float32", [1, 1, 30, 4], q), new Tensor("float32", [1, 1, 200, 4], k)];
    const scale = { kind: "float", value: 1 } as const;
    const v = filled([1, 1, 200, 4], 3); // integers: scores are exact
    await check([...inputs, v], within(4, 200), { attributes: { scale } });
  });

  it("does what MultiHeadAttention says", async () => {
    const mask = fc.constantFrom("none", "bias", "lengths", "keys");
    await fc.assert(
      fc.asyncProperty(shapes, mask, fc.boolean(), fc.boolean(), async (p, kind, biased, causal) => {
        const { batch, kvHeads: heads, t, s, d, dv } = p;
        const lengths = Int32Array.from({ length: batch }, (_, n) => (n + 2) % (s + 1));
        const kept = Int32Array.from({ length: batch * s }, (_, i) => (i % 3 === 0 ? 0 : 1));
        const padding =
          kind === "lengths"
            ? new Tensor("int32", [batch], lengths)
            : kind === "keys"
              ? new Tensor("int32", [batch, s], kept)
              : null;
        const inputs = [
          filled([batch, t, heads * d], t),
          filled([batch, s, heads * d], 7),
          filled([batch, s, heads * dv], 9),
          biased ? filled([heads * (2 * d + dv)], 5) : null,
          padding,
          kind === "bias" ? filled([1, heads, t, s], 5) : null,
        ];
        // The bias doubles queries and keys; the number that hides (-100 here, exact to 2^-17 once added) rounds the scores.
        await check(inputs, (wanted) => 4 * within(d, s)(wanted) + 2 ** -15, {
          op: "MultiHeadAttention",
          attributes: {
            num_heads: heads,
            unidirectional: causal ? 1 : 0,
            mask_filter_value: { kind: "float", value: -100 },
          },
        });
      }),
      { numRuns: 12 },
    );
  });
});
