import { type BatchSpec, batchNormalizationCost, batchNormalizationSpec } from "../../../specs/normalize/batch.js";
import { f32x4, i32, v128 } from "../../asm/index.js";
import { anyKernel, floatArgument, type Kernel, type KernelCode, kernelFunction } from "../../kernel.js";
import { madd } from "../../math.js";
import { eachRow, mapLine } from "../lines.js";
import { perChunk } from "../rows.js";

/** ONNX BatchNormalization of float32 by given statistics: inference. */
const batchNormalization: Kernel<BatchSpec, null> = {
  name: "batch normalization",
  match: batchNormalizationSpec,
  schedules: () => [null],
  lower({ batch, channels, plane, epsilon }, _, node, to) {
    const rows = batch * channels;
    const each = perChunk(plane * 8 + 32);
    const inputs = node.inputs.map((input) => to.buffer(input!));
    const args = [to.buffer(node.outputs[0]!), ...inputs, rows, each, channels, plane, floatArgument(epsilon)];
    to.launch(batchCode, args, Math.ceil(rows / each));
  },
  cost: batchNormalizationCost,
};

/** Arguments: y, x, scale, bias, mean, variance, rows, rows per chunk, channels, plane, epsilon. */
const batchCode: KernelCode = {
  key: "normalize/batch",
  build: (device) =>
    kernelFunction(10, (f, { chunk }, [y, x, scale, bias, mean, variance, rows, each, channels, plane], args) => {
      const from = f.local("i32");
      const to = f.local("i32");
      const [factor, center, shift] = [f.local("v128"), f.local("v128"), f.local("v128")];
      eachRow(f, chunk, rows!, each!, (row) => {
        const at = f.local("i32", i32.shl(i32.rem_u(row, channels!), 2));
        const start = i32.shl(i32.mul(row, plane!), 2);
        f.set(from, i32.add(x!, start));
        f.set(to, i32.add(y!, start));
        const spread = f32x4.add(v128.load32_splat(i32.add(variance!, at)), v128.load32_splat(args, 40));
        f.set(factor, f32x4.div(v128.load32_splat(i32.add(scale!, at)), f32x4.sqrt(spread)));
        f.set(center, v128.load32_splat(i32.add(mean!, at)));
        f.set(shift, v128.load32_splat(i32.add(bias!, at)));
        mapLine(f, [from], to, plane!, (v) => madd(f32x4.sub(v!, center), factor, shift, device));
        f.free(at);
      });
    }),
};

export const batchNormalizationKernel: Kernel = anyKernel(batchNormalization);
