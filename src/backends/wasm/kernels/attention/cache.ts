import { i32 } from "../../asm/index.js";
import { type KernelCode, kernelFunction } from "../../kernel.js";

/**
 * Copies rows of `size` bytes between heads: from (batch, head, row) at its strides to [batch, heads, rowsThere, size] from row `first` on.
 * Arguments: from, to, heads, rows, size, batch, head and row stride of `from`, bytes of a head of `to`, first · size. Chunk: a head.
 */
export const copyHeads: KernelCode = {
  key: "attention/copy-heads",
  build: () =>
    kernelFunction(10, (f, { chunk }, args) => {
      const [from, to, heads, rows, size, batchStride, headStride, rowStride, toHead, offset] = args;
      f.increment(
        from!,
        i32.add(i32.mul(i32.div_u(chunk, heads!), batchStride!), i32.mul(i32.rem_u(chunk, heads!), headStride!)),
      );
      f.increment(to!, i32.add(i32.mul(chunk, toHead!), offset!));
      f.for(0, rows!, 1, () => {
        f.memoryCopy(to!, from!, size!);
        f.increment(to!, size!);
        f.increment(from!, rowStride!);
      });
    }),
};
