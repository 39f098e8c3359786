import type { Value } from "../../../../graph/index.js";
import { resultBytes, type SparsifySpec, sparsifyCost, sparsifySpec } from "../../../specs/sparsify.js";
import { i32, type Local } from "../../asm/index.js";
import { anyKernel, type Buffer, type Kernel, type KernelCode, kernelFunction, type Lowering } from "../../kernel.js";
import { ELEMENTS } from "./elements.js";
import { lineBytesOf, sparsifyPanel } from "./panel.js";
import { BAND, PANEL, scratchBytes } from "./scratch.js";
import { writeTurned } from "./turn.js";

/** ai.nonzero Sparsify24, and Sparsify24Like, which trusts that each tile of its mask is 2:4 both ways. */
const sparsify24: Kernel<SparsifySpec, null> = {
  name: "sparsify 2:4 both ways",
  match: sparsifySpec,
  schedules: () => [null],
  lower(spec, _, node, to) {
    const bytes = resultBytes(spec);
    const [x, given] = node.inputs;
    const like = spec.selection === "given";
    const [packed, meta, packedT, metaT, mask] = like ? [node.outputs[0], null, node.outputs[1]] : node.outputs;
    // What nobody reads goes to memory of its own.
    const buffer = (value: Value | null | undefined, size: number): Buffer =>
      value == null ? to.scratch(size) : to.buffer(value);
    launch(spec, to.buffer(x!), to, {
      packed: buffer(packed, bytes.packed),
      meta: buffer(meta, bytes.meta),
      packedT: buffer(packedT, bytes.packedT),
      metaT: buffer(metaT, bytes.metaT),
      mask: buffer(like ? given : mask, bytes.mask),
    });
  },
  cost: sparsifyCost,
};

type Results = Readonly<Record<keyof ReturnType<typeof resultBytes>, Buffer>>;

/** Side of a chunk: 512 entries are 64 bytes of codes, so that no two threads write to one cache line of them. */
const CHUNK = 512;

function launch({ selection, dtype, rows, cols }: SparsifySpec, x: Buffer, to: Lowering, results: Results): void {
  const { packed, meta, packedT, metaT, mask } = results;
  const across = Math.ceil(cols / CHUNK);
  let height = CHUNK;
  while (height > BAND && across * Math.ceil(rows / height) < 4 * to.device.threads) height /= 2;
  const each = scratchBytes(lineBytesOf(ELEMENTS[dtype]));
  const scratch = to.scratch(each * to.device.threads);
  const args = [x, rows, cols, packed, meta, packedT, metaT, mask, scratch, height, across];
  to.launch(sparsifyCode(selection, dtype), args, across * Math.ceil(rows / height));
}

/** Arguments: x, rows, cols, packed, meta, packed_t, meta_t, mask, scratch, rows per chunk, chunks across the columns. */
const sparsifyCode = (selection: SparsifySpec["selection"], dtype: SparsifySpec["dtype"]): KernelCode => ({
  key: `sparsify24/${selection}/${dtype}`,
  build: (device) =>
    kernelFunction(11, (f, { chunk, thread }, args) => {
      const [x, rows, cols, packed, meta, packedT, metaT, mask, scratch, each, across] = args as Eleven;
      const element = ELEMENTS[dtype];
      f.set(scratch, i32.add(scratch, i32.mul(thread, scratchBytes(lineBytesOf(element)))));
      const a = { x, rows, cols, packed, meta, packedT, metaT, mask, scratch };
      const [row, col] = [f.local("i32"), f.local("i32")];
      f.set(row, i32.mul(i32.div_u(chunk, across), each));
      const rowEnd = f.local("i32", i32.add(row, each));
      f.set(rowEnd, i32.min_s(rowEnd, rows));
      const colBegin = f.local("i32", i32.mul(i32.rem_u(chunk, across), CHUNK));
      const colEnd = f.local("i32", i32.add(colBegin, CHUNK));
      f.set(colEnd, i32.min_s(colEnd, cols));
      const [height, width] = [f.local("i32"), f.local("i32")];
      f.while(i32.lt_s(row, rowEnd), () => {
        f.set(height, i32.sub(rowEnd, row));
        f.set(height, i32.min_s(height, BAND));
        f.set(col, colBegin);
        f.while(i32.lt_s(col, colEnd), () => {
          f.set(width, i32.sub(colEnd, col));
          f.set(width, i32.min_s(width, PANEL));
          const panel = { row, col, height, width };
          sparsifyPanel(f, device, element, selection, a, panel);
          writeTurned(f, element, a, panel);
          f.increment(col, PANEL);
        });
        f.increment(row, BAND);
      });
    }),
});

type Int = Local<"i32">;
type Eleven = [Int, Int, Int, Int, Int, Int, Int, Int, Int, Int, Int];

export const sparsify24Kernel: Kernel = anyKernel(sparsify24);
