import type { QuantizedForm } from "../../../specs/quantized/form.js";
import { type Func, f32x4, i8x16, i16x8, i32x4, type Local, v128 } from "../../asm/index.js";
import type { V128 } from "../../asm/instructions.js";

type I = Local<"i32">;

const INTERLEAVED = [0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23];

/** Codes that `widenSome` takes: 16 bytes of them, or as many as 8 bytes hold. */
export const widened = ({ bits }: QuantizedForm): number => (bits === 8 ? 16 : 32);

/**
 * Writes 16 bytes of codes (16, or 32 of 4 bits) at `from` as float32 in order at `to`: the code less its middle or zero point, times its scale. Without
 * `scale` the numbers are as they are, for a row's scale to come at the end.
 */
export function widenSome(
  f: Func,
  { bits }: Pick<QuantizedForm, "bits">,
  at: { from: I; to: I; scale: V128 | null; zero: V128 | null },
): void {
  const half = f.local("v128");
  const quarter = f.local("v128");
  const put = (words: V128, offset: number): void => {
    f.set(quarter, words);
    [i32x4.extend_low_i16x8_s(quarter), i32x4.extend_high_i16x8_s(quarter)].forEach((lanes, i) => {
      let value: V128 = f32x4.convert_i32x4_s(lanes);
      if (at.zero !== null) value = f32x4.sub(value, at.zero);
      f.storeV128(at.to, at.scale === null ? value : f32x4.mul(value, at.scale), offset + 16 * i);
    });
  };
  const middle = at.zero === null ? (bits === 8 ? 128 : 8) : 0;
  const bytes = (codes: V128, offset: number): void => {
    f.set(half, middle === 0 ? codes : i8x16.sub(codes, i8x16.splat(middle)));
    const [low, high] =
      middle === 0
        ? [i16x8.extend_low_i8x16_u, i16x8.extend_high_i8x16_u]
        : [i16x8.extend_low_i8x16_s, i16x8.extend_high_i8x16_s];
    put(low(half), offset);
    put(high(half), offset + 32);
  };
  if (bits === 8) bytes(v128.load(at.from), 0);
  else {
    const even = f.local("v128", v128.and(v128.load(at.from), i32x4.const(0x0f0f0f0f)));
    const odd = f.local("v128", v128.and(i16x8.shr_u(v128.load(at.from), 4), i32x4.const(0x0f0f0f0f)));
    bytes(v128.shuffle(even, odd, INTERLEAVED), 0);
    bytes(
      v128.shuffle(
        even,
        odd,
        INTERLEAVED.map((lane) => lane + 8),
      ),
      64,
    );
    f.free(even, odd);
  }
  f.free(half, quarter);
}
