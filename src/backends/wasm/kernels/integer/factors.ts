import { f32, f32x4, i32, i32x4, v128 } from "../../asm/index.js";
import { type Argument, type Buffer, type KernelCode, kernelFunction, type Lowering } from "../../kernel.js";

/** What a product's end needs, made once x is quantized: [M] float32 and [M] int32, each padded to a multiple of 32. */
export interface Factors {
  /** x_scale · w_scale. */
  readonly scales: Buffer;
  /** −zero point of x · the weights' sums. */
  readonly starts: Buffer;
}

export interface FactorInputs {
  /** float32, the scale of x; 0 for none. */
  readonly xScale: Argument;
  /** As `Quantized.parameters`. */
  readonly parameters: Argument;
  /** float32, one or [M]; 0 for none. */
  readonly wScale: Argument;
  readonly perRow: boolean;
  /** int32 [M] sums of the rows of W; 0 where no starts are wanted. */
  readonly wSums: Argument;
}

/** Adds the launch that makes both. */
export function lowerFactors(
  to: Lowering,
  M: number,
  { xScale, parameters, wScale, perRow, wSums }: FactorInputs,
): Factors {
  const bytes = 4 * Math.ceil(M / 32) * 32;
  const [scales, starts] = [to.scratch(bytes), to.scratch(bytes)];
  to.launch(FACTORS, [xScale, parameters, wScale, perRow ? 16 : 0, wSums, scales, starts, M], 1);
  return { scales, starts };
}

const FACTORS: KernelCode = {
  key: "integer/factors",
  build: () =>
    kernelFunction(8, (f, _call, [xScale, parameters, wScale, step, wSums, scales, starts, M]) => {
      const end = f.local("i32", i32.shl(i32.and(i32.add(M!, 3), -4), 2));
      const scale = f.local("f32", f32.load(xScale!));
      const vector = f.local("v128");
      f.if(wScale!, () =>
        f.for(0, end, 16, (at) => {
          f.set(vector, f32x4.splat(f32.load(wScale!)));
          f.if(step!, () => f.set(vector, v128.load(wScale!)));
          f.storeV128(i32.add(scales!, at), f32x4.mul(vector, f32x4.splat(scale)));
          f.increment(wScale!, step!);
        }),
      );
      const zero = f.local("i32", i32.sub(0, i32.load(parameters!, 4)));
      f.if(wSums!, () =>
        f.for(0, end, 16, (at) =>
          f.storeV128(i32.add(starts!, at), i32x4.mul(v128.load(i32.add(wSums!, at)), i32x4.splat(zero))),
        ),
      );
    }),
};
