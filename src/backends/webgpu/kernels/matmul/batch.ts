import { type BatchMatMulSpec, batchMatMulSpec } from "../../../specs/matmul/batch.js";
import { NO_EPILOGUE } from "../../../specs/matmul/epilogue.js";
import type { Kernel } from "../../kernel.js";
import { launchTile } from "./launch.js";
import { tilesFor } from "./schedule.js";
import type { Tile } from "./tiling.js";

/** MatMul and FusedMatMul of two activations (or of dense constants), in batches that broadcast. */
export const batchMatMul: Kernel<BatchMatMulSpec, Tile> = {
  name: "batch-matmul",
  match: (node, at) => {
    const spec = batchMatMulSpec(node, at);
    return spec !== null && spec.k > 0 && spec.count <= 65535 ? spec : null;
  },
  schedules: ({ m, n, count }, device) => tilesFor(m, n, count, device),
  lower(spec, tile, node, to) {
    const { m, n, k, transA, transB, alpha, batch, swapped } = spec;
    const [a, b] = (swapped ? [1, 0] : [0, 1]).map((i) => to.buffer(node.inputs[i]!));
    const axes = (side: "a" | "b", size: number) => batch.map((axis) => axis[side] * size) as [number, number, number];
    launchTile(to, {
      ...{
        tile,
        M: m,
        K: k,
        N: n,
        y: to.buffer(node.outputs[0]!),
        yOrder: "feature-major",
      },
      weights: { dense: { buffer: a!, order: transA ? "feature-major" : "token-major", batch: axes("a", m * k) } },
      x: { buffer: b!, order: transB ? "token-major" : "feature-major", batch: axes("b", k * n) },
      batch: batch.map(({ size }) => size) as [number, number, number],
      epilogue: { ...NO_EPILOGUE, alpha },
      ...{ bias: null, residual: null, scales: null },
    });
  },
  cost: ({ m, n, k, count }) => ({
    multiplyAdds: m * n * k * count,
    bytes: 4 * count * (m * k + k * n + m * n),
  }),
};
