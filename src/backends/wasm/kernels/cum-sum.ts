import { type CumSumSpec, cumSumCost, cumSumSpec } from "../../specs/cum-sum.js";
import { f32, f64, i32, i64, type Local } from "../asm/index.js";
import { anyKernel, type Kernel, type KernelCode, kernelFunction } from "../kernel.js";
import { eachRow } from "./lines.js";
import { perChunk } from "./rows.js";

/** ONNX CumSum along any axis; floats are summed in double. */
const cumSum: Kernel<CumSumSpec, null> = {
  name: "cumulative sum",
  match: cumSumSpec,
  schedules: () => [null],
  lower({ dtype, exclusive, reverse, outer, dim, inner }, _, node, to) {
    const lines = outer * inner;
    const each = perChunk(dim * 16);
    const args = [to.buffer(node.outputs[0]!), to.buffer(node.inputs[0]!), lines, each, dim, inner];
    to.launch(cumSumCode(dtype, exclusive, reverse), args, Math.ceil(lines / each));
  },
  cost: cumSumCost,
};

/** Arguments: y, x, lines, lines per chunk, dim, inner. */
const cumSumCode = (dtype: CumSumSpec["dtype"], exclusive: boolean, reverse: boolean): KernelCode => ({
  key: `cum-sum/${dtype}/${exclusive ? "exclusive" : "inclusive"}/${reverse ? "reverse" : "forward"}`,
  build: () =>
    kernelFunction(6, (f, { chunk }, [y, x, lines, each, dim, inner]) => {
      const shift = dtype === "int64" ? 3 : 2;
      const stride = f.local("i32", i32.shl(inner!, shift));
      const from = f.local("i32");
      const to = f.local("i32");
      const [floats, words, longs] = [f.local("f64"), f.local("i32"), f.local("i64")];
      const store = (): void => {
        if (dtype === "float32") f.storeF32(to, f32.demote_f64(floats));
        else if (dtype === "int32") f.storeI32(to, words);
        else f.storeI64(to, longs);
      };
      const add = (): void => {
        if (dtype === "float32") f.set(floats, f64.add(floats, f64.promote_f32(f32.load(from))));
        else if (dtype === "int32") f.set(words, i32.add(words, i32.load(from)));
        else f.set(longs, i64.add(longs, i64.load(from)));
      };
      const advance = (pointer: Local<"i32">): void =>
        f.set(pointer, reverse ? i32.sub(pointer, stride) : i32.add(pointer, stride));
      eachRow(f, chunk, lines!, each!, (line) => {
        const first = i32.mul(i32.div_u(line, inner!), dim!);
        const start = reverse ? i32.add(first, i32.sub(dim!, 1)) : first;
        f.set(from, i32.shl(i32.add(i32.mul(start, inner!), i32.rem_u(line, inner!)), shift));
        f.set(to, i32.add(y!, from));
        f.set(from, i32.add(x!, from));
        f.set(floats, 0);
        f.set(words, 0);
        f.set(longs, 0n);
        f.for(0, dim!, 1, () => {
          if (exclusive) store();
          add();
          if (!exclusive) store();
          advance(from);
          advance(to);
        });
      });
    }),
});

export const cumSumKernel: Kernel = anyKernel(cumSum);
