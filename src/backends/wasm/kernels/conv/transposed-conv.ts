import type { Node } from "../../../../graph/index.js";
import { Tensor } from "../../../../tensor/index.js";
import { type TransposedConvSpec, transposedConvCost, transposedConvSpec } from "../../../specs/conv/transposed.js";
import { NO_EPILOGUE } from "../../../specs/matmul/epilogue.js";
import type { Argument, Kernel, Lowering } from "../../kernel.js";
import { lowerPanelMultiply, panelsFor } from "../matmul/panel.js";
import { pack } from "../matmul/panels.js";
import { gatherTaps } from "./gather-taps.js";

/**
 * ConvTranspose with a dense constant weight: a product of matrices gives each tap's part of the output, Z [outputs × kernel positions,
 * input pixels] = Wᵀ · x, which is then gathered where it belongs (col2im; `torch.nn.Fold`).
 */
export const transposedConv: Kernel<TransposedConvSpec, null> = {
  name: "transposed-conv",
  match: transposedConvSpec,
  schedules: () => [null],
  lower(spec, _schedule, node, to) {
    const { batch, channels, outputs, group, input, output, bias } = spec;
    const x = to.buffer(node.inputs[0]!);
    const y = to.buffer(node.outputs[0]!);
    const planes = { x: 4 * input[0] * input[1], y: 4 * output[0] * output[1] };
    for (let n = 0; n < batch; n++) {
      for (let g = 0; g < group; g++) {
        const from = { buffer: x, offset: (n * channels + (g * channels) / group) * planes.x };
        const first = (g * outputs) / group;
        const parts = multiplyTaps(spec, node, g, from, to);
        const offset = (n * outputs + first) * planes.y;
        const biasAt: Argument = bias ? { buffer: to.buffer(node.inputs[2]!), offset: 4 * first } : 0;
        gatherTaps(spec, parts, biasAt, { buffer: y, offset }, to);
      }
    }
  },
  cost: transposedConvCost,
};

/** Z of one group: [outputs / group × kernel positions, input pixels]. */
function multiplyTaps(spec: TransposedConvSpec, node: Node, g: number, x: Argument, to: Lowering): Argument {
  const { channels, outputs, group, input, kernel } = spec;
  const weight = node.inputs[1]!;
  const [K, N] = [channels / group, input[0] * input[1]];
  const rows = (outputs / group) * kernel[0] * kernel[1];
  // The group's part of the weight [channels, outputs / group, kernel…] as a matrix [K, rows].
  const all = (to.constant(weight) as Tensor).data as Float32Array;
  const matrix = new Tensor("float32", [K, rows], all.subarray(g * K * rows, (g + 1) * K * rows));
  const ofGroup: Lowering = {
    ...to,
    constant: (value) => (value === weight ? matrix : to.constant(value)),
    prepared: (value, key, bytes, fill) => to.prepared(value, `${key}/transposed-conv/${g}`, bytes, fill),
  };
  const panels = panelsFor(weight, undefined, K, N, ofGroup);
  const packed = pack(to, panels, "feature-major", x, N);
  const parts = to.scratch(4 * rows * N);
  lowerPanelMultiply(
    { weight, perm: [1, 0], panels, x: packed, y: parts, order: "feature-major", yStride: N, epilogue: NO_EPILOGUE },
    ofGroup,
  );
  return parts;
}
