import { type ArgSpec, argExtremeCost, argExtremeSpec } from "../../../specs/reduce/arg-extreme.js";
import { f32, i32, i64 } from "../../asm/index.js";
import { anyKernel, type Kernel, type KernelCode, kernelFunction } from "../../kernel.js";
import { eachRow } from "../lines.js";
import { perChunk } from "../rows.js";

/** ONNX ArgMax and ArgMin of float32 along any axis. */
const argExtreme: Kernel<ArgSpec, null> = {
  name: "arg extreme",
  match: argExtremeSpec,
  schedules: () => [null],
  lower({ op, selectLast, outer, dim, inner }, _, node, to) {
    const lines = outer * inner;
    const each = perChunk(dim * 8);
    const args = [to.buffer(node.outputs[0]!), to.buffer(node.inputs[0]!), lines, each, dim, inner];
    to.launch(argCode(op, selectLast), args, Math.ceil(lines / each));
  },
  cost: argExtremeCost,
};

/** Arguments: y, x, lines, lines per chunk, dim, inner. */
const argCode = (op: ArgSpec["op"], selectLast: boolean): KernelCode => ({
  key: `${op}/${selectLast ? "last" : "first"}`,
  build: () =>
    kernelFunction(6, (f, { chunk }, [y, x, lines, each, dim, inner]) => {
      const better = op === "ArgMax" ? (selectLast ? f32.ge : f32.gt) : selectLast ? f32.le : f32.lt;
      const stride = f.local("i32", i32.shl(inner!, 2));
      const from = f.local("i32");
      const best = f.local("f32");
      const bestAt = f.local("i32");
      const value = f.local("f32");
      eachRow(f, chunk, lines!, each!, (line) => {
        const start = i32.add(i32.mul(i32.mul(i32.div_u(line, inner!), dim!), inner!), i32.rem_u(line, inner!));
        f.set(from, i32.add(x!, i32.shl(start, 2)));
        f.set(best, f32.load(from));
        f.set(bestAt, 0);
        f.for(1, dim!, 1, (i) => {
          f.increment(from, stride);
          f.set(value, f32.load(from));
          f.if(better(value, best), () => {
            f.set(best, value);
            f.set(bestAt, i);
          });
        });
        f.storeI64(i32.add(y!, i32.shl(line, 3)), i64.extend_i32_u(bestAt));
      });
    }),
});

export const argExtremeKernel: Kernel = anyKernel(argExtreme);
