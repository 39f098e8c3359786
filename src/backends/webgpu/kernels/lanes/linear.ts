import { SparseTensor } from "../../../../layouts/index.js";
import { type LinearSpec, linearCost, linearSpec } from "../../../specs/matmul/linear.js";
import type { Buffer, Kernel } from "../../kernel.js";
import { allEntries } from "../matmul/prepare.js";
import { MOST_TOKENS } from "../matmul/rows.js";
import { isProcessor } from "./device.js";
import { isWithin, launchProduct } from "./launch.js";
import { packDense, packEntries } from "./weights.js";

/** MatMul, Gemm, FusedMatMul and Linear with a constant weight, dense or sparse in any layout, of more than a few tokens, on a processor. */
export const laneLinear: Kernel<LinearSpec, null> = {
  name: "linear",
  match(node, at) {
    if (!isProcessor(at.device)) return null;
    const spec = linearSpec(node, at);
    if (spec === null || spec.N * spec.batch <= MOST_TOKENS) return null;
    return isWithin(spec.M, spec.K, spec.N, at.device) ? spec : null;
  },
  schedules: () => [null],
  lower(spec, _, node, to) {
    const { M, K, N, batch, perm, xOrder, yOrder, epilogue } = spec;
    const weight = node.inputs[spec.weight]!;
    const constant = to.constant(weight)!;
    const operand = (input: number | null): Buffer | null => (input === null ? null : to.buffer(node.inputs[input]!));
    const entries = constant instanceof SparseTensor ? allEntries(constant) : null;
    const stridesOf = (order: LinearSpec["xOrder"], length: number): [number, number] =>
      order === "token-major" ? [1, length] : [N, 1];
    const [xOfK, xOfToken] = stridesOf(xOrder, K);
    const [yOfRow, yOfToken] = stridesOf(yOrder, M);
    launchProduct(to, {
      ...{ weight, M, K, N, batch, epilogue, key: `${perm}`, scales: entries?.scales ?? null },
      packed:
        constant instanceof SparseTensor
          ? packEntries(allEntries(constant))
          : packDense(constant.data as Float32Array, [M, K], perm[0] === 0 ? [K, 1] : [1, M]),
      strides: { xOfK, xOfToken, yOfRow, yOfToken, xBatch: K * N, yBatch: M * N },
      ...{ x: operand(spec.x)!, y: to.buffer(node.outputs[0]!) },
      ...{ bias: operand(spec.bias), residual: operand(spec.residual) },
    });
  },
  cost: linearCost,
};
