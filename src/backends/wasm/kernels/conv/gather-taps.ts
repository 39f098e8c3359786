import type { TransposedConvSpec } from "../../../specs/conv/transposed.js";
import { type Func, f32, f32x4, i32, type Local, v128 } from "../../asm/index.js";
import { type Argument, type KernelCode, kernelFunction, type Lowering } from "../../kernel.js";

/** y [outputs, output pixels] = bias + the parts Z [outputs, kernel positions, input pixels], each added where its tap puts it. */
export function gatherTaps(spec: TransposedConvSpec, parts: Argument, bias: Argument, y: Argument, to: Lowering): void {
  const { outputs, group, kernel, input, output, strides, dilations, pads } = spec;
  const args = [parts, bias, y, ...kernel, ...input, ...output, strides[0], ...dilations, ...pads];
  to.launch(gatherCode(strides[1], spec.bias), args, outputs / group);
}

type I = Local<"i32">;
type Fourteen = [I, I, I, I, I, I, I, I, I, I, I, I, I, I];

/** Arguments as above. Chunk: an output channel. */
const gatherCode = (stride: number, biased: boolean): KernelCode => ({
  key: `conv/gather-taps/${stride}/${biased}`,
  build: () =>
    kernelFunction(14, (f, { chunk }, args) => {
      const [parts, bias, y, kh, kw, height, width, oh, ow, tall, dilationY, dilationX, top, left] = args as Fourteen;
      const inputBytes = f.local("i32", i32.shl(i32.mul(height, width), 2));
      f.increment(parts, i32.mul(i32.mul(chunk, i32.mul(kh, kw)), inputBytes));
      const outputBytes = f.local("i32", i32.shl(i32.mul(oh, ow), 2));
      f.increment(y, i32.mul(chunk, outputBytes));
      const start = f.local("f32", biased ? f32.load(i32.add(bias, i32.shl(chunk, 2))) : 0);
      const end = f.local("i32", i32.add(y, outputBytes));
      const at = f.local("i32", y);
      f.while(i32.lt_u(at, end), () => {
        f.storeF32(at, start);
        f.increment(at, 4);
      });

      f.for(0, kh, 1, (ky) => {
        f.for(0, kw, 1, (kx) => {
          // Input column c goes to output column c · stride + shift; columns [first, last) of the input land inside.
          const shift = f.local("i32", i32.sub(i32.mul(kx, dilationX), left));
          const first = f.local("i32", 0);
          f.if(i32.lt_s(shift, 0), () => f.set(first, i32.div_s(i32.sub(stride - 1, shift), stride)));
          const last = f.local("i32", i32.sub(i32.sub(ow, 1), shift));
          f.set(last, i32.select(i32.lt_s(last, 0), 0, i32.add(i32.div_s(last, stride), 1)));
          f.set(last, i32.min_s(last, width));
          const row = f.local("i32", i32.sub(i32.mul(ky, dilationY), top));
          f.for(0, height, 1, (r) => {
            f.if(i32.and(i32.lt_u(row, oh), i32.lt_s(first, last)), () => {
              const column = i32.add(i32.mul(first, stride), shift);
              const to = f.local("i32", i32.add(y, i32.shl(i32.add(i32.mul(row, ow), column), 2)));
              const from = f.local("i32", i32.add(parts, i32.shl(i32.add(i32.mul(r, width), first), 2)));
              addEvery(f, stride, to, from, i32.sub(last, first));
              f.free(to, from);
            });
            f.increment(row, tall);
          });
          f.increment(parts, inputBytes);
          f.free(shift, first, last, row);
        });
      });
    }),
});

/** Adds `count` floats at `from` to every `stride`-th of those at `to`. */
function addEvery(f: Func, stride: number, to: I, from: I, count: ReturnType<typeof i32.sub>): void {
  const rest = f.local("i32", count);
  const round = (size: number, body: () => void): void =>
    f.while(i32.ge_s(rest, size), () => {
      body();
      f.increment(to, 4 * size * stride);
      f.increment(from, 4 * size);
      f.increment(rest, -size);
    });
  const add = (i: number): void =>
    f.storeF32(to, f32.add(f32.load(to, 4 * i * stride), f32.load(from, 4 * i)), 4 * i * stride);
  round(4, () => {
    if (stride === 1) f.storeV128(to, f32x4.add(v128.load(to), v128.load(from)));
    else for (let i = 0; i < 4; i++) add(i);
  });
  round(1, () => add(0));
  f.free(rest);
}
