import type { QuantizedForm } from "../../../specs/quantized/form.js";
import { type Func, i32, type Local } from "../../asm/index.js";
import type { DeviceInfo } from "../../kernel.js";

type I = Local<"i32">;
type V = Local<"v128">;

/** What a tile of rows × tokens reads. */
export interface TileArguments {
  readonly w: I;
  readonly rowBytes: I;
  /** The first token's inputs, and the distance to the next one's. */
  readonly x: I;
  readonly xStride: I;
  /** First row's scales and zero points, and the bytes of a row's; not read where a row has one scale. */
  readonly scales: I;
  readonly zeros: I;
  readonly scaleBytes: I;
}

export interface TileShape {
  readonly rows: number;
  readonly tokens: number;
  readonly form: QuantizedForm;
}

/** Adds a tile's loop over all inputs; the sums, by row and token, are the caller's to free. Lanes are partial sums. */
export type DotTile = (f: Func, shape: TileShape, at: TileArguments, device: DeviceInfo) => V[][];

/** Pointers to `count` rows, `stride` bytes apart. */
export function pointers(f: Func, count: number, first: I, stride: I): I[] {
  const list = f.localArray("i32", count);
  list.forEach((pointer, i) => f.set(pointer, i === 0 ? first : i32.add(list[i - 1]!, stride)));
  return list;
}
