import { formKey } from "../../../specs/quantized/form.js";
import { type QuantizedGatherSpec, quantizedGatherCost, quantizedGatherSpec } from "../../../specs/quantized/gather.js";
import { i32, i64, type Local, v128 } from "../../asm/index.js";
import { type Kernel, type KernelCode, kernelFunction } from "../../kernel.js";
import { packedWeight } from "./weights.js";
import { widened, widenSome } from "./widen.js";

type I = Local<"i32">;

/** Gather from a quantized table: the rows that are asked for are widened on the way, the table stays as it is. */
export const quantizedGather: Kernel<QuantizedGatherSpec, null> = {
  name: "quantized-gather",
  match: quantizedGatherSpec,
  schedules: () => [null],
  lower(spec, _schedule, node, to) {
    const { rows, cols, count } = spec;
    const { codes, rowBytes, scales, zeros, groups } = packedWeight(node.inputs[0]!, to);
    const lineBytes = 4 * Math.ceil(cols / 32) * 32;
    const lines = to.scratch(to.device.threads * lineBytes);
    const [y, indices] = [to.buffer(node.outputs[0]!), to.buffer(node.inputs[1]!)];
    to.launch(
      gatherCode(spec),
      [y, indices, rows, cols, codes, rowBytes, scales, zeros, groups * 4, lines, lineBytes],
      count,
    );
  },
  cost: quantizedGatherCost,
};

const gatherCode = ({ form, indexType }: QuantizedGatherSpec): KernelCode => ({
  key: `quantized/gather/${indexType}/${formKey(form)}`,
  build: () =>
    kernelFunction(11, (f, { chunk, thread }, args) => {
      const [y, indices, rows, cols, codes, rowBytes, scales, zeros] = args as [I, I, I, I, I, I, I, I];
      const [scaleBytes, lines, lineBytes] = args.slice(8) as [I, I, I];
      const at = i32.add(indices, i32.shl(chunk, indexType === "int32" ? 2 : 3));
      const index = f.local("i32", indexType === "int32" ? i32.load(at) : i32.wrap_i64(i64.load(at)));
      f.set(index, i32.add(index, i32.select(i32.lt_s(index, 0), rows, 0)));
      f.set(index, i32.select(i32.lt_u(index, rows), index, 0));
      f.increment(scales, i32.mul(index, scaleBytes));
      f.increment(zeros, i32.mul(index, scaleBytes));
      const from = f.local("i32", i32.add(codes, i32.mul(index, rowBytes)));
      const line = f.local("i32", i32.add(lines, i32.mul(thread, lineBytes)));
      const to = f.local("i32", line);
      const end = f.local("i32", i32.add(line, i32.shl(cols, 2)));
      const group = f.local("i32");
      const scale = f.local("v128");
      const zero = f.local("v128");
      f.while(i32.lt_u(to, end), () => {
        if (form.group === null) f.set(scale, v128.load32_splat(scales));
        else {
          f.set(group, i32.shl(i32.shr_u(i32.sub(to, line), 2 + Math.log2(form.group)), 2));
          f.set(scale, v128.load32_splat(i32.add(scales, group)));
          if (form.zeroPoints) f.set(zero, v128.load32_splat(i32.add(zeros, group)));
        }
        widenSome(f, form, { from, to, scale, zero: form.zeroPoints ? zero : null });
        f.increment(from, 16);
        f.increment(to, 4 * widened(form));
      });
      f.memoryCopy(i32.add(y, i32.mul(chunk, i32.shl(cols, 2))), line, i32.shl(cols, 2));
    }),
});
