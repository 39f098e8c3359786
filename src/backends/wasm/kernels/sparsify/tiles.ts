import { type Func, i32, type Local, v128 } from "../../asm/index.js";
import type { ElementCode } from "./elements.js";

type Vector = Local<"v128">;
type Pointer = Local<"i32">;

/**
 * Reads 16 tiles, four side by side at a time, and turns them, so that a vector holds one place of each, an element in the low end of each lane: so they lie
 * in the scratch, from `tiles` on. `visit` is called for each place when it is in `values`, and may overwrite that.
 */
export function visitTiles(
  f: Func,
  element: ElementCode,
  rows: readonly Pointer[],
  scratch: Pointer,
  visit: (place: number, values: readonly Vector[], tiles: Pointer) => void,
): void {
  const tiles = f.local("i32", scratch);
  const end = f.local("i32", i32.add(scratch, 1024));
  const from = rows.map((row) => f.local("i32", row));
  const values = f.localArray("v128", 16);
  const ofTile = f.localArray("v128", 4);
  const pairs = f.localArray("v128", 4);
  f.doWhile(
    () => {
      from.forEach((row, r) => {
        ofTile.forEach((lanes, tile) => {
          f.set(lanes, element.load(row, 4 * element.bytes * tile));
        });
        const [a, b, c, d] = ofTile as [Vector, Vector, Vector, Vector];
        f.set(pairs[0]!, v128.shuffle32(a, b, [0, 4, 1, 5]));
        f.set(pairs[1]!, v128.shuffle32(c, d, [0, 4, 1, 5]));
        f.set(pairs[2]!, v128.shuffle32(a, b, [2, 6, 3, 7]));
        f.set(pairs[3]!, v128.shuffle32(c, d, [2, 6, 3, 7]));
        for (let col = 0; col < 4; col++) {
          const [place, p, q] = [4 * r + col, pairs[col & 2]!, pairs[(col & 2) + 1]!];
          f.set(values[place]!, v128.shuffle32(p, q, col % 2 === 0 ? [0, 1, 4, 5] : [2, 3, 6, 7]));
          f.storeV128(tiles, values[place]!, 16 * place);
          visit(place, values, tiles);
        }
      });
      for (const row of from) f.increment(row, 16 * element.bytes);
      f.increment(tiles, 256);
    },
    () => i32.lt_u(tiles, end),
  );
  f.free(tiles, end, ...from, ...values, ...ofTile, ...pairs);
}
