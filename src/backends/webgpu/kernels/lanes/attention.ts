import { type AttentionSpec, attentionCost, attentionSpec } from "../../../specs/attention.js";
import type { Kernel, ShaderCode } from "../../kernel.js";
import { input, linear as linearGrid, output, shader, wgsl } from "../../wgsl/index.js";
import { isProcessor } from "./device.js";
import { launchStrided } from "./launch.js";

/** Fewer queries leave most of a tile's tokens empty. */
const LEAST_QUERIES = 8;

/**
 * Attention without masks and caches, on a processor: the scores of all keys and queries, [head][key][query], their softmax, and the product with the
 * values. What a GPU gains by never storing the scores is lost here to barriers.
 */
export const laneAttention: Kernel<AttentionSpec, null> = {
  name: "attention",
  match(node, at) {
    if (!isProcessor(at.device)) return null;
    const spec = attentionSpec(node, at);
    if (spec === null || spec.mask !== null || spec.padding !== null || spec.position !== null || spec.biased)
      return null;
    const { pastKey, pastValue, presentKey, presentValue } = spec.at;
    const cached =
      [pastKey, pastValue].some((i) => node.inputs[i]) || [presentKey, presentValue].some((i) => node.outputs[i]);
    const { batch, heads, queries, keys, headSize } = spec;
    const { maxStorageBufferBindingSize } = at.device.limits;
    const fits = 4 * batch * heads * queries * keys <= maxStorageBufferBindingSize && batch * heads <= 65535;
    return !cached && ![batch, heads, keys, headSize].includes(0) && queries >= LEAST_QUERIES && fits ? spec : null;
  },
  schedules: () => [null],
  lower(spec, _, node, to) {
    const { batch, heads, kvHeads, queries, keys, headSize, valueSize, q, k, v, y, scale } = spec;
    const count = batch * heads;
    const [query, key, value] = [0, 1, 2].map((i) => to.buffer(node.inputs[i]!));
    const scores = to.scratch(4 * count * keys * queries);
    const shares = to.scratch(4 * count * keys * queries);
    const common = { heads, sharing: heads / kvHeads };
    const all = { batch: heads * keys * queries, head: keys * queries };
    launchStrided(to, {
      ...{ M: keys, K: headSize, N: queries, count, alpha: scale, w: key!, x: query!, y: scores },
      strides: {
        ...{ ...common, wOfRow: k.row, wOfK: 1, wBatch: k.batch, wHead: k.head },
        ...{ xOfK: 1, xOfToken: q.row, xBatch: q.batch, xHead: q.head },
        ...{ yOfRow: queries, yOfToken: 1, yBatch: all.batch, yHead: all.head },
      },
    });
    const rows = count * queries;
    to.launch(SOFTMAX, { x: scores, y: shares }, { rows, keys, queries }, linearGrid(rows, WORKGROUP));
    launchStrided(to, {
      ...{ M: valueSize, K: keys, N: queries, count, alpha: 1, w: value!, x: shares, y: to.buffer(node.outputs[0]!) },
      strides: {
        ...{ ...common, wOfRow: 1, wOfK: v.row, wBatch: v.batch, wHead: v.head },
        ...{ xOfK: queries, xOfToken: 1, xBatch: all.batch, xHead: all.head },
        ...{ yOfRow: 1, yOfToken: y.row, yBatch: y.batch, yHead: y.head },
      },
    });
  },
  cost: attentionCost,
};

const WORKGROUP = 32;

/** Softmax of [matrix][key][query] over the keys, each lane a query. */
const SOFTMAX: ShaderCode<"x" | "y", "rows" | "keys" | "queries"> = shader({
  key: "lanes/softmax",
  workgroup: [WORKGROUP],
  bindings: { x: input("f32"), y: output("f32") },
  uniforms: { rows: "u32", keys: "u32", queries: "u32" },
  body: (s) => wgsl`
    let row = ${s.index};
    if (row >= ${s.rows}) { return; }
    let first = row / ${s.queries} * (${s.keys} * ${s.queries}) + row % ${s.queries};
    let end = first + ${s.keys} * ${s.queries};
    var largest = x[first];
    for (var at = first; at < end; at += ${s.queries}) { largest = max(largest, x[at]); }
    var total = 0.0f;
    for (var at = first; at < end; at += ${s.queries}) {
      let share = exp(x[at] - largest);
      total += share;
      y[at] = share;
    }
    let factor = 1.0f / total;
    for (var at = first; at < end; at += ${s.queries}) { y[at] *= factor; }
  `,
});
