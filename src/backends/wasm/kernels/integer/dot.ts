import { Func, i32x4, moduleBytes, type V128, v128 } from "../../asm/index.js";
import type { DeviceInfo } from "../../kernel.js";
import type { Form } from "./quantize.js";

/**
 * How this host multiplies 8-bit levels: levels of a word, and the products of four words with four added to four sums.
 *
 * int16 pairs (`i32x4.dot_i16x8_s`, an addition) are exact everywhere: 8 multiply-adds in two instructions. uint8 quads
 * (`i32x4.relaxed_dot_i8x16_i7x16_add_s`) are 16 in one where the host has an instruction for it (x86's VNNI, used by V8 from version 12
 * or so), but what becomes of levels above 127 is the host's own affair: `hasQuads` tries it.
 */
export interface Dot {
  readonly form: Form;
  add(sum: V128, x: V128, w: V128): V128;
}

export const PAIRS: Dot = { form: "pairs", add: (sum, x, w) => i32x4.add(i32x4.dot_i16x8_s(x, w), sum) };
export const QUADS: Dot = { form: "quads", add: (sum, x, w) => i32x4.relaxed_dot_i8x16_i7x16_add_s(w, x, sum) };

let tried: boolean | undefined;

/** True where relaxed SIMD's dot product takes all of uint8 on its second side and saturates nowhere. */
export function hasQuads(device: DeviceInfo): boolean {
  if (!device.relaxed) return false;
  tried ??= [
    [127, 255],
    [-128, 255],
    [127, 128],
    [-1, 200],
  ].every(([w, x]) => dotOf(w!, x!) === 4 * w! * x! + 1);
  return tried;
}

function dotOf(w: number, x: number): number {
  const f = new Func(["i32", "i32", "i32"]);
  const [to, left, right] = f.params as [never, never, never];
  const splat = (value: never): V128 => v128.shuffle(i32x4.splat(value), i32x4.splat(value), new Array(16).fill(0));
  f.storeI32(to, i32x4.extract_lane(QUADS.add(i32x4.const(1), splat(right), splat(left)), 2));
  try {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
    const module = new WebAssembly.Module(moduleBytes({ run: f }, { shared: false }));
    const { run } = new WebAssembly.Instance(module, { env: { memory } }).exports as Record<string, CallableFunction>;
    run!(0, w, x);
    return new Int32Array(memory.buffer)[0]!;
  } catch {
    return Number.NaN;
  }
}
