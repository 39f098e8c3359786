import { linearCost } from "../../../specs/matmul/linear.js";
import { type QuantizedLinearSpec, quantizedLinearSpec } from "../../../specs/quantized/linear.js";
import type { Argument, Kernel } from "../../kernel.js";
import { pack, panelsOf } from "../matmul/panels.js";
import { lowerDots, takesDots } from "./dots.js";
import { lowerQuantizedPanels, PANEL_WIDTH } from "./panel.js";

/** MatMul, Gemm, FusedMatMul and Linear with a quantized weight (layouts `dense` with int8 values, `dense:gG`) and float32 activations. */
export const quantizedLinear: Kernel<QuantizedLinearSpec, null> = {
  name: "quantized-linear",
  match: quantizedLinearSpec,
  schedules: () => [null],
  lower(spec, _schedule, node, to) {
    const { M, K, N, batch, form, xOrder, yOrder: order, epilogue } = spec;
    const [weight, x] = [node.inputs[spec.weight]!, node.inputs[spec.x]!];
    const operand = (input: number | null): Argument => (input === null ? 0 : to.buffer(node.inputs[input]!));
    const y = to.buffer(node.outputs[0]!);
    const shared = {
      ...{ weight, form, M, order, epilogue, yStride: order === "token-major" ? M : N },
      bias: operand(spec.bias),
      residual: operand(spec.residual),
    };
    if (batch === 1 && takesDots(form, N) && (N === 1 || xOrder === "token-major")) {
      lowerDots({ ...shared, K, N, x, y }, to);
      return;
    }
    const panels = panelsOf(K, N, PANEL_WIDTH);
    for (let i = 0; i < batch; i++) {
      const packed = to.derived(x, `matmul/panels/${xOrder}/${panels.pitch}/${panels.count}/${K}/${i}`, () => {
        const at = { buffer: to.buffer(x), offset: 4 * i * K * N };
        return pack(to, panels, xOrder, at, xOrder === "token-major" ? K : N);
      });
      lowerQuantizedPanels({ ...shared, panels, x: packed, y: { buffer: y, offset: 4 * i * M * N } }, to);
    }
  },
  cost: linearCost,
};
