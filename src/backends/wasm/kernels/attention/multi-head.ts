import { f32, f32x4, i32, type Local, v128 } from "../../asm/index.js";
import {
  type Argument,
  type Buffer,
  floatArgument,
  type KernelCode,
  kernelFunction,
  type Lowering,
} from "../../kernel.js";

type I = Local<"i32">;

/** Rows of a chunk of `addBias`. */
const ROWS = 16;

/** x [rows, size] plus bias [size] at every row, in scratch memory: the projection's bias that MultiHeadAttention takes. */
export function addBias(x: Buffer, bias: Argument, rows: number, size: number, to: Lowering): Buffer {
  const y = to.scratch(4 * rows * size);
  to.launch(ADD_BIAS, [x, bias, y, rows, size], Math.ceil(rows / ROWS));
  return y;
}

const ADD_BIAS: KernelCode = {
  key: "attention/add-bias",
  build: () =>
    kernelFunction(5, (f, { chunk }, args) => {
      const [x, bias, y, rows, size] = args as [I, I, I, I, I];
      const first = f.local("i32", i32.mul(chunk, ROWS));
      const end = f.local("i32", i32.add(first, ROWS));
      f.set(end, i32.min_s(end, rows));
      const offset = f.local("i32", i32.shl(i32.mul(first, size), 2));
      f.increment(x, offset);
      f.increment(y, offset);
      f.for(first, end, 1, () => {
        const from = f.local("i32", bias);
        const rest = f.local("i32", size);
        const step = (bytes: number): void => {
          for (const pointer of [x, y, from]) f.increment(pointer, bytes);
          f.increment(rest, -bytes / 4);
        };
        f.while(i32.ge_s(rest, 4), () => {
          f.storeV128(y, f32x4.add(v128.load(x), v128.load(from)));
          step(16);
        });
        f.while(rest, () => {
          f.storeF32(y, f32.add(f32.load(x), f32.load(from)));
          step(4);
        });
        f.free(from, rest);
      });
    }),
};

/**
 * A key padding mask as a mask of floats [batch, keys] in scratch memory, 0 where a key is seen and `hidden` elsewhere. `lengths`: the
 * mask is int32 [batch], how many keys are seen; else int32 [batch, keys], above 0 where they are.
 */
export function paddingMask(
  mask: Buffer,
  lengths: boolean,
  batch: number,
  keys: number,
  hidden: number,
  to: Lowering,
): Buffer {
  const y = to.scratch(4 * batch * keys);
  to.launch(paddingCode(lengths), [mask, y, keys, floatArgument(hidden)], batch);
  return y;
}

/** Chunk: a batch entry. */
const paddingCode = (lengths: boolean): KernelCode => ({
  key: `attention/padding/${lengths ? "lengths" : "keys"}`,
  build: () =>
    kernelFunction(4, (f, { chunk }, args) => {
      const [mask, y, keys, hidden] = args as [I, I, I, I];
      const row = f.local("i32", i32.shl(i32.mul(chunk, keys), 2));
      f.increment(y, row);
      f.increment(mask, lengths ? i32.shl(chunk, 2) : row);
      f.for(0, keys, 1, (key) => {
        const seen = lengths ? i32.lt_s(key, i32.load(mask)) : i32.gt_s(i32.load(mask), 0);
        f.storeI32(y, i32.select(seen, 0, hidden));
        f.increment(y, 4);
        if (!lengths) f.increment(mask, 4);
      });
    }),
});
