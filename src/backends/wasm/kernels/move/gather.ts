import { type GatherSpec, gatherCost, gatherSpec } from "../../../specs/move/gather.js";
import type { ElementBytes } from "../../../specs/node.js";
import { i32, i64 } from "../../asm/index.js";
import { anyKernel, type Kernel, type KernelCode, kernelFunction } from "../../kernel.js";
import { perChunk } from "../rows.js";
import { copyBytes, copyElement } from "./run.js";

/**
 * ONNX Gather. Indices from -dim to dim - 1; what lies outside, which ONNX leaves undefined, reads the axis's first element
 * rather than memory that is not the input's.
 */
const gather: Kernel<GatherSpec, null> = {
  name: "gather",
  match: gatherSpec,
  schedules: () => [null],
  lower({ outer, dim, count, run, bytes, indexType }, _, node, to) {
    const rows = run === 0 ? 0 : outer * count;
    const each = perChunk(run * bytes * 2 + 8);
    const [x, indices] = node.inputs.map((input) => to.buffer(input!));
    const args = [to.buffer(node.outputs[0]!), x!, indices!, rows, each, dim, count, run * bytes];
    to.launch(gatherCode(indexType, bytes, run === 1), args, Math.ceil(rows / each));
  },
  cost: gatherCost,
};

const gatherCode = (indexType: "int32" | "int64", bytes: ElementBytes, single: boolean): KernelCode => ({
  key: `gather/${indexType}/${bytes}/${single ? "element" : "run"}`,
  build: () =>
    kernelFunction(8, (f, { chunk }, [to, x, indices, rows, each, dim, count, run]) => {
      const row = f.local("i32", i32.mul(chunk, each!));
      const last = f.local("i32", i32.add(row, each!));
      f.set(last, i32.min_s(last, rows!));
      f.increment(to!, i32.mul(row, run!));
      const from = f.local("i32");
      const index = f.local("i32");
      const at = f.local("i32");
      f.while(i32.lt_s(row, last), () => {
        f.set(at, i32.rem_u(row, count!));
        f.set(
          index,
          indexType === "int32"
            ? i32.load(i32.add(indices!, i32.shl(at, 2)))
            : i32.wrap_i64(i64.load(i32.add(indices!, i32.shl(at, 3)))),
        );
        f.set(index, i32.add(index, i32.select(i32.lt_s(index, 0), dim!, 0)));
        f.set(index, i32.select(i32.lt_u(index, dim!), index, 0));
        const start = i32.add(i32.mul(i32.div_u(row, count!), dim!), index);
        f.set(from, i32.add(x!, i32.mul(start, run!)));
        if (single) {
          copyElement(f, bytes, to!, from);
          f.increment(to!, bytes);
        } else copyBytes(f, bytes, to!, from, run!);
        f.increment(row, 1);
      });
    }),
});

export const gatherKernel: Kernel = anyKernel(gather);
