import { normalizeAxis, sizeOf } from "../../../../tensor/index.js";
import { f32, i32, i64 } from "../../asm/index.js";
import { anyKernel, type Kernel, type KernelCode, kernelFunction } from "../../kernel.js";
import { eachRow } from "../lines.js";
import { attributesOfNode } from "../move/kernels.js";
import { perChunk } from "../rows.js";

export interface ArgSpec {
  readonly op: "ArgMax" | "ArgMin";
  readonly selectLast: boolean;
  readonly outer: number;
  readonly dim: number;
  readonly inner: number;
}

/** ONNX ArgMax and ArgMin of float32 along any axis. */
const argExtreme: Kernel<ArgSpec, null> = {
  name: "arg extreme",
  match(node, at) {
    if (node.domain !== "" || (node.op !== "ArgMax" && node.op !== "ArgMin")) return null;
    const { dtype, shape } = at.type(node.inputs[0]!);
    if (dtype !== "float32" || shape.includes(0)) return null;
    const a = attributesOfNode<{ axis: number; selectLastIndex: boolean }>(node);
    const axis = normalizeAxis(a.axis, shape.length);
    return {
      op: node.op,
      selectLast: a.selectLastIndex,
      outer: sizeOf(shape.slice(0, axis)),
      dim: shape[axis]!,
      inner: sizeOf(shape.slice(axis + 1)),
    };
  },
  schedules: () => [null],
  lower({ op, selectLast, outer, dim, inner }, _, node, to) {
    const lines = outer * inner;
    const each = perChunk(dim * 8);
    const args = [to.buffer(node.outputs[0]!), to.buffer(node.inputs[0]!), lines, each, dim, inner];
    to.launch(argCode(op, selectLast), args, Math.ceil(lines / each));
  },
  cost: ({ outer, dim, inner }) => ({ multiplyAdds: outer * dim * inner, bytes: 4 * outer * dim * inner }),
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
