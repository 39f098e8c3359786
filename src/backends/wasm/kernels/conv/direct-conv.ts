import { type ConvSpec, convCost, convSpec, pixelsOf } from "../../../specs/conv/conv.js";
import { type Epilogue, epilogueKey } from "../../../specs/matmul/epilogue.js";
import { type Func, f32x4, i32, type Local, v128 } from "../../asm/index.js";
import { type Argument, type DeviceInfo, type Kernel, type KernelCode, kernelFunction } from "../../kernel.js";
import { activate, madd } from "../../math.js";
import { fences, loadsPerFence } from "../matmul/fences.js";
import { frameOf } from "./frame.js";
import { storeSome } from "./store-some.js";

/** With more outputs in a group than this, a product of matrices is faster. */
const MOST_OUTPUTS = 4;
/** Kernels of more taps loop over their rows. */
const MOST_UNROLLED = 25;
const MOST_COLUMNS = 32;

/**
 * Conv of few outputs a group, dense, without unfolding: depthwise convolutions first of all. Each output row is computed 16, then 4
 * columns at a time, all taps of a kernel's row unrolled.
 */
export const directConv: Kernel<ConvSpec, null> = {
  name: "direct-conv",
  match(node, at) {
    const spec = convSpec(node, at);
    if (spec === null || spec.sparse || spec.outputs / spec.group > MOST_OUTPUTS) return null;
    // A residual of rows shorter than a vector would be read beyond its end.
    if (spec.output[1] < 4 && spec.epilogue.residual) return null;
    return spec.kernel[1] <= MOST_COLUMNS ? spec : null;
  },
  schedules: () => [null],
  lower(spec, _schedule, node, to) {
    const { batch, channels, outputs, group, kernel, strides, dilations, output, epilogue } = spec;
    const x = to.buffer(node.inputs[0]!);
    const bias = epilogue.bias ? to.buffer(node.inputs[2]!) : 0;
    const code = directCode(kernel, strides[1], dilations[1], epilogue);
    for (let n = 0; n < batch; n++) {
      const frame = frameOf(spec, x, n, to);
      const at = 4 * n * outputs * pixelsOf(spec);
      const args: Argument[] = [
        frame.image,
        to.buffer(node.inputs[1]!),
        bias,
        { buffer: to.buffer(node.outputs[0]!), offset: at },
        epilogue.residual ? { buffer: to.buffer(node.inputs[3]!), offset: at } : 0,
        channels / group,
        outputs / group,
        kernel[0],
        frame.plane,
        frame.phase,
        dilations[0] * frame.row,
        strides[0] * frame.row,
        output[0],
        output[1],
      ];
      to.launch(code, args, outputs);
    }
  },
  cost: convCost,
};

type I = Local<"i32">;

/** Arguments as above. Chunk: an output channel. */
const directCode = (
  [kh, kw]: readonly [number, number],
  stride: number,
  dilation: number,
  epilogue: Epilogue,
): KernelCode => {
  const unrolled = kh * kw <= MOST_UNROLLED;
  return {
    key: `conv/direct/${unrolled ? kh : "any"}x${kw}/${stride}/${dilation}/${epilogueKey(epilogue)}`,
    build: (device) =>
      kernelFunction(14, (f, { chunk }, args) => {
        const [image, w, bias, y, residual, channels, outputs, rows, plane, phase, tapRow, pixelRow, oh, ow] =
          args as I[] as [I, I, I, I, I, I, I, I, I, I, I, I, I, I];
        f.increment(image, i32.mul(i32.mul(i32.div_u(chunk, outputs), channels), plane));
        f.increment(w, i32.shl(i32.mul(i32.mul(chunk, channels), i32.mul(rows, kw)), 2));
        const planeBytes = f.local("i32", i32.shl(i32.mul(oh, ow), 2));
        f.increment(y, i32.mul(chunk, planeBytes));
        f.increment(residual, i32.mul(chunk, planeBytes));
        const start = f.local(
          "v128",
          epilogue.bias ? v128.load32_splat(i32.add(bias, i32.shl(chunk, 2))) : f32x4.const(0),
        );
        const column = f.local("i32");

        /** One row of taps at `from`, weights at `weights`, added to `sums`. */
        const tapsOfRow = (sums: Local<"v128">[], from: I, weights: I, weightsAt: number): void => {
          const pointers = Array.from({ length: Math.min(stride, (kw - 1) * dilation + 1) }, (_, i) =>
            i === 0 ? from : f.local("i32", i32.add(from, i32.mul(phase, i))),
          );
          const weight = f.local("v128");
          const fence = fences(f, from);
          const spacing = loadsPerFence(sums.length + 1);
          let loads = 0;
          for (let kx = 0; kx < kw; kx++) {
            const shift = kx * dilation;
            f.set(weight, v128.load32_splat(weights, weightsAt + 4 * kx));
            sums.forEach((sum, v) => {
              const input = v128.load(pointers[shift % stride]!, 4 * Math.floor(shift / stride) + 16 * v);
              f.set(sum, madd(weight, input, sum, device));
              if (++loads % spacing === 0) fence(1);
            });
          }
          f.free(weight, ...pointers.slice(1));
        };

        /** `some`: how many columns to store, where that is less than a vector. */
        const tile = (vectors: number, some?: I): void => {
          const sums = Array.from({ length: vectors }, () => f.local("v128", start));
          const corner = f.local("i32", i32.add(image, i32.shl(column, 2)));
          const weights = f.local("i32", w);
          f.for(0, channels, 1, () => {
            const from = f.local("i32", corner);
            if (unrolled) {
              for (let ky = 0; ky < kh; ky++) {
                tapsOfRow(sums, from, weights, 4 * ky * kw);
                if (ky + 1 < kh) f.increment(from, tapRow);
              }
              f.increment(weights, 4 * kh * kw);
            } else {
              f.for(0, rows, 1, () => {
                tapsOfRow(sums, from, weights, 0);
                f.increment(from, tapRow);
                f.increment(weights, 4 * kw);
              });
            }
            f.increment(corner, plane);
            f.free(from);
          });
          const to = f.local("i32", i32.add(y, i32.shl(column, 2)));
          const addend = f.local("i32", i32.add(residual, i32.shl(column, 2)));
          sums.forEach((sum, v) => {
            finish(f, epilogue, sum, addend, 16 * v, device);
            if (some) storeSome(f, to, sum, some);
            else f.storeV128(to, sum, 16 * v);
          });
          f.increment(column, 4 * vectors);
          f.free(corner, weights, to, addend, ...sums);
        };

        const rowBytes = f.local("i32", i32.shl(ow, 2));
        f.for(0, oh, 1, () => {
          f.set(column, 0);
          f.if(i32.lt_s(ow, 4), () => tile(1, ow));
          for (const vectors of [4, 1]) f.while(i32.le_s(i32.add(column, 4 * vectors), ow), () => tile(vectors));
          // The last columns are computed with some before them again.
          f.if(i32.lt_s(column, ow), () => {
            f.set(column, i32.sub(ow, 4));
            tile(1);
          });
          f.increment(image, pixelRow);
          f.increment(y, rowBytes);
          f.increment(residual, rowBytes);
        });
      }),
  };
};

function finish(
  f: Func,
  { activation, params, residual }: Epilogue,
  sum: Local<"v128">,
  addend: I,
  offset: number,
  device: DeviceInfo,
): void {
  if (residual === "before") f.set(sum, f32x4.add(sum, v128.load(addend, offset)));
  f.set(sum, activate(f, activation, params, sum, device));
  if (residual === "after") f.set(sum, f32x4.add(sum, v128.load(addend, offset)));
}
