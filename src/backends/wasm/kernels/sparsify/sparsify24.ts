import type { Value } from "../../../../graph/index.js";
import { resultBytes, type SparsifySpec, sparsifyCost, sparsifySpec } from "../../../specs/sparsify.js";
import { i32, type Local } from "../../asm/index.js";
import { anyKernel, type Buffer, type Kernel, type KernelCode, kernelFunction, type Lowering } from "../../kernel.js";
import { ELEMENTS } from "./elements.js";
import { sparsifyPanel } from "./panel.js";
import { BAND, CHUNK, PANEL, SCRATCH, scratchBytes, tableAt, UNIT, UNIT_CODES } from "./scratch.js";
import { writeTables } from "./tables.js";
import { writeTurned, writeTurnedCodes } from "./turn.js";

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

function launch({ selection, dtype, rows, cols }: SparsifySpec, x: Buffer, to: Lowering, results: Results): void {
  const { packed, meta, packedT, metaT, mask } = results;
  const across = Math.ceil(cols / CHUNK);
  let height = CHUNK;
  while (height > 32 && across * Math.ceil(rows / height) < 4 * to.device.threads) height /= 2;
  const each = scratchBytes(ELEMENTS[dtype]);
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
      f.set(scratch, i32.add(scratch, i32.mul(thread, scratchBytes(element))));
      const table = f.local("i32", i32.add(scratch, tableAt(element)));
      writeTables(f, element, table);
      f.storeI32(scratch, 0, SCRATCH.patience);
      f.storeI32(scratch, 0, SCRATCH.patience + 4);
      const a = { x, rows, cols, packed, meta, packedT, metaT, mask, scratch, table };
      const [row, col] = [f.local("i32"), f.local("i32")];
      f.set(row, i32.mul(i32.div_u(chunk, across), each));
      const rowEnd = f.local("i32", i32.add(row, each));
      f.set(rowEnd, i32.min_s(rowEnd, rows));
      const colBegin = f.local("i32", i32.mul(i32.rem_u(chunk, across), CHUNK));
      const colEnd = f.local("i32", i32.add(colBegin, CHUNK));
      f.set(colEnd, i32.min_s(colEnd, cols));
      const [height, width, codes] = f.localArray("i32", 3) as [Int, Int, Int];
      const chunkHeight = f.local("i32", i32.sub(rowEnd, row));
      if (selection !== "given") {
        // Strips that the last quad lacks leave no codes.
        f.if(i32.and(chunkHeight, 127), () => {
          f.memoryFill(i32.add(scratch, SCRATCH.codes), 0, (CHUNK / UNIT) * UNIT_CODES);
        });
      }
      const band = f.local("i32", row);
      f.while(i32.lt_s(band, rowEnd), () => {
        f.set(height, i32.sub(rowEnd, band));
        f.set(height, i32.min_s(height, BAND));
        f.set(codes, i32.add(scratch, i32.add(i32.const(SCRATCH.codes), i32.shl(i32.sub(band, row), 4))));
        f.set(col, colBegin);
        f.while(i32.lt_s(col, colEnd), () => {
          f.set(width, i32.sub(colEnd, col));
          f.set(width, i32.min_s(width, PANEL));
          const panel = { row: band, col, height, width, codes };
          sparsifyPanel(f, device, element, selection, a, panel);
          writeTurned(f, element, a, panel);
          f.increment(col, PANEL);
          f.increment(codes, (PANEL / UNIT) * UNIT_CODES);
        });
        f.increment(band, BAND);
      });
      if (selection !== "given") {
        f.set(width, i32.sub(colEnd, colBegin));
        writeTurnedCodes(f, a, { row, col: colBegin, height: chunkHeight, width });
      }
    }),
});

type Int = Local<"i32">;
type Eleven = [Int, Int, Int, Int, Int, Int, Int, Int, Int, Int, Int];

export const sparsify24Kernel: Kernel = anyKernel(sparsify24);
