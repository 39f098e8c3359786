import { type LinearSpec, linearCost, linearSpec } from "../../../specs/matmul/linear.js";
import { isSparse } from "../../../specs/matmul/weights.js";
import type { Argument, Kernel, Lowering } from "../../kernel.js";
import { lowerDots, MOST_DOTS } from "./dots.js";
import { lowerMaskDots, masksWell } from "./mask-dots.js";
import { lowerPanelMultiply, type PanelSchedule, panelsFor, scheduleFor } from "./panel.js";
import { type Panels, pack } from "./panels.js";
import { lowerSparseDots } from "./sparse-dots.js";

/**
 * MatMul, Gemm, FusedMatMul and Linear with a constant weight, dense or sparse in any layout. x may have leading axes, which count as
 * tokens; x and y are read and written in the order that the node has them.
 */
export const linear: Kernel<LinearSpec, PanelSchedule | null> = {
  name: "linear",
  match(node, at) {
    const spec = linearSpec(node, at);
    // Codes in groups are no values: a size of groups that the kernels for quantized weights do not know is evaluated.
    return spec?.layout.startsWith("dense:g") ? null : spec;
  },
  schedules: ({ layout }) =>
    layout === "dense"
      ? [null, { width: 12, slab: 192, block: 96 }, { width: 6, slab: 128, block: 24 }]
      : [
          null,
          { width: 12, slab: 128, block: 0 },
          { width: 8, slab: 256, block: 0 },
          { width: 12, slab: 192, block: 0 },
          { width: 8, slab: 384, block: 0 },
          { width: 8, slab: 1024, block: 0 },
          { width: 12, slab: 1024, block: 0 },
        ],
  lower(spec, tuned, node, to) {
    const constant = to.constant(node.inputs[spec.weight]!)!;
    const { M, K, N, batch, perm, xOrder, yOrder, epilogue } = spec;
    const schedule = tuned ?? scheduleFor(constant, N);
    const [weight, x] = [node.inputs[spec.weight]!, node.inputs[spec.x]!];
    if (batch === 1 && N <= (isSparse(constant) ? 1 : MOST_DOTS) && (N === 1 || xOrder === "token-major")) {
      const shared = { weight, perm, K, N, x: to.buffer(x), y: to.buffer(node.outputs[0]!), order: yOrder, epilogue };
      const [bias, residual] = [spec.bias, spec.residual].map((i) => (i === null ? 0 : to.buffer(node.inputs[i]!)));
      const dots = { ...shared, yStride: yOrder === "token-major" ? M : N, bias: bias!, residual: residual! };
      if (!isSparse(constant)) lowerDots(dots, to);
      else if (masksWell(constant)) lowerMaskDots(dots, constant, to);
      else lowerSparseDots({ ...dots, slab: schedule.slab }, constant, to);
      return;
    }
    const panels = panelsFor(weight, undefined, K, N, to, schedule);
    const operand = (input: number | null): Argument => (input === null ? 0 : to.buffer(node.inputs[input]!));
    const y = to.buffer(node.outputs[0]!);
    for (let i = 0; i < batch; i++) {
      const packed = to.derived(x, `matmul/panels/${xOrder}/${panels.pitch}/${panels.count}/${K}/${i}`, () =>
        packBatch(to, panels, spec, { buffer: to.buffer(x), offset: 4 * i * K * N }),
      );
      const at = { buffer: y, offset: 4 * i * M * N };
      lowerPanelMultiply(
        {
          ...{ weight, perm, panels, x: packed, y: at, order: yOrder, epilogue, schedule },
          yStride: yOrder === "token-major" ? M : N,
          bias: operand(spec.bias),
          residual: operand(spec.residual),
        },
        to,
      );
    }
  },
  cost: linearCost,
};

const packBatch = (to: Lowering, panels: Panels, { xOrder, K, N }: LinearSpec, x: Argument) =>
  pack(to, panels, xOrder, x, xOrder === "token-major" ? K : N);
