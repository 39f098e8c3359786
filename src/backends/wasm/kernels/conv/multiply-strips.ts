import type { ValueDataType } from "../../../../layouts/index.js";
import type { Epilogue } from "../../../specs/matmul/epilogue.js";
import { epilogueKey } from "../../../specs/matmul/epilogue.js";
import { type Func, i32, type Local } from "../../asm/index.js";
import { type Argument, type KernelCode, kernelFunction } from "../../kernel.js";
import { passesOf, storeSums } from "../matmul/dense-tile.js";
import { HEADER_BYTES } from "../matmul/stream.js";
import { type StreamTile, streamTile, streamWidth } from "../matmul/stream-tile.js";
import { finishesInTile, storeStrip, storeStrips } from "./strip-store.js";

type I = Local<"i32">;

/** What strips' products share, as arguments in this order; bytes where nothing else is said. */
export interface StripArguments {
  /** The strips packed, from block `firstBlock` of rows on. */
  readonly x: Argument;
  /** Scratch of `sumBytes` for each thread. */
  readonly sums: Argument;
  /** Plane of the first output, and of its residual. */
  readonly y: Argument;
  readonly residual: Argument;
  readonly bias: Argument;
  readonly plane: number;
  readonly rowBytes: number;
  /** The last column at which a strip may begin. */
  readonly lastColumn: number;
  readonly groups: number;
  /** Strips in this launch. */
  readonly strips: number;
  readonly firstBlock: number;
  readonly tallCount: number;
  readonly stripBytes: number;
  readonly slabBytes: number;
  readonly slabs: number;
  readonly sumBytes: number;
}
export const stripArguments = (a: StripArguments): Argument[] => [
  a.x,
  a.sums,
  a.y,
  a.residual,
  a.bias,
  a.plane,
  a.rowBytes,
  a.lastColumn,
  a.groups,
  a.strips,
  a.firstBlock,
  a.tallCount,
  a.stripBytes,
  a.slabBytes,
  a.slabs,
  a.sumBytes,
];
export const SHARED = 16;
export type Shared = [I, I, I, I, I, I, I, I, I, I, I, I, I, I, I, I];

export interface StripShape {
  /** Heights that strips have: one, or one and the one below it. */
  readonly heights: readonly number[];
  /** Bytes from one row of a strip's input to the next. */
  readonly pitch: number;
  readonly epilogue: Epilogue;
}

/** A strip at hand. */
interface Strip {
  readonly height: number;
  /** Where its first pixel lies in the first output's plane of y. */
  readonly corner: I;
}

/** Code for each height that strips have; x is moved to strip number `p`. */
export function forHeights(f: Func, { heights }: StripShape, p: I, args: Shared, body: (strip: Strip) => void): void {
  const [x, , y, , , , rowBytes, lastColumn, groups, , firstBlock, tallCount, stripBytes] = args;
  f.increment(x, i32.mul(p, stripBytes));
  const block = f.local("i32", i32.add(i32.div_u(p, groups), firstBlock));
  const column = f.local("i32", i32.shl(i32.rem_u(p, groups), 2));
  f.set(column, i32.min_s(column, lastColumn));
  const corner = f.local("i32", i32.add(y, i32.shl(column, 2)));
  const [tall, short] = heights as [number, number | undefined];
  f.increment(corner, i32.mul(i32.mul(block, tall), rowBytes));
  if (short === undefined) body({ height: tall, corner });
  else {
    f.if(
      i32.lt_s(block, tallCount),
      () => body({ height: tall, corner }),
      () => {
        f.increment(corner, i32.mul(i32.sub(tallCount, block), rowBytes));
        body({ height: short, corner });
      },
    );
  }
  f.free(block, column, corner);
}

export interface StripStreamShape extends StripShape {
  readonly share: 1 | 2;
  readonly dtype: ValueDataType;
  readonly scaled: boolean;
}

/**
 * Sparse products over strips: a chunk is one strip × one block of outputs. Arguments: the shared ones, the stream, its scales' offset.
 *
 * Each kept weight costs what it does in `streamTile`: a load and a multiply-add for each of the strip's rows. Sums stay in
 * registers over a slab of channels that fits the first cache; for up to about 50 channels of 3×3 taps they are never carried.
 */
export const stripStreamCode = (shape: StripStreamShape): KernelCode => {
  const { heights, pitch, epilogue, share, dtype, scaled } = shape;
  const most = streamWidth(share, dtype);
  const sumPitch = 16 * heights[0]!;
  const inTile = finishesInTile(epilogue);
  return {
    key: `conv/strip-stream/${share}/${dtype}${scaled ? "*" : ""}/${heights}/${pitch}/${epilogueKey(epilogue)}`,
    build: (device) =>
      kernelFunction(SHARED + 2, (f, { chunk, thread }, args) => {
        const [x, sums, y, residual, bias, plane, rowBytes, , , strips, , , , slabBytes, slabs, sumBytes] =
          args as unknown as Shared;
        const [stream, scales] = args.slice(SHARED) as [I, I];
        const p = f.local("i32", i32.rem_u(chunk, strips));
        const entry = f.local("i32", i32.add(stream, i32.mul(i32.div_u(chunk, strips), 12)));
        const row = f.local("i32", i32.mul(i32.load(entry, 0), share));
        const rows = f.local("i32", i32.sub(i32.mul(i32.load(entry, 4), share), row));
        const w = f.local("i32", i32.add(stream, i32.load(entry, 8)));
        f.increment(sums, i32.mul(thread, sumBytes));
        f.increment(scales, stream);
        f.set(residual, i32.sub(residual, y));
        f.increment(y, i32.mul(row, plane));
        forHeights(f, shape, p, args as unknown as Shared, ({ height, corner }) => {
          const slab = f.local("i32", 0);
          const fresh = f.local("i32");
          const last = f.local("i32");
          const out = f.local("i32");
          const line = f.local("i32");
          const number = f.local("i32");
          const left = f.local("i32");
          const [quads, singles, from, to] = f.localArray("i32", 4) as [I, I, I, I];
          f.doWhile(
            () => {
              f.set(fresh, i32.eqz(slab));
              f.increment(slab, 1);
              f.set(last, i32.eq(slab, slabs));
              f.set(left, rows);
              f.doWhile(
                () => {
                  f.set(quads, i32.load(w, 0));
                  f.set(singles, i32.load16_u(w, 4));
                  f.set(number, i32.mul(i32.load16_u(w, 6), share));
                  f.set(out, i32.add(sums, i32.mul(number, sumPitch)));
                  f.set(line, i32.add(corner, i32.mul(number, plane)));
                  f.increment(number, row);
                  f.increment(w, HEADER_BYTES);
                  for (const pass of passesOf(height, most)) {
                    f.set(from, w);
                    const carry = (tile: readonly (readonly Local<"v128">[])[]): void =>
                      storeSums(f, tile, (r, j) => r * sumPitch + 16 * (pass.first + j), out);
                    const finish: StreamTile["store"] = (tile) => {
                      const output = f.local("i32", number);
                      const first = f.local("i32", i32.add(line, i32.mul(rowBytes, pass.first)));
                      tile.forEach((vectors, r) => {
                        f.set(to, first);
                        storeStrip(f, shape, vectors, { to, residual, rowBytes, row: output, bias, scales }, device);
                        if (r + 1 < tile.length) {
                          f.increment(output, 1);
                          f.increment(first, plane);
                        }
                      });
                      f.free(output, first);
                    };
                    const store: StreamTile["store"] = inTile
                      ? (tile) =>
                          f.if(
                            last,
                            () => finish(tile),
                            () => carry(tile),
                          )
                      : carry;
                    const at = { w: from, quads, singles, x, sums: out, fresh };
                    streamTile(f, { share, ...pass, pitch: sumPitch, step: 4, apart: pitch, dtype, store }, at, device);
                  }
                  f.set(w, from);
                  f.increment(left, -share);
                },
                () => left,
              );
              f.increment(x, slabBytes);
            },
            () => i32.eqz(last),
          );
          if (!inTile) {
            const target = { to: corner, residual, rowBytes, row, bias, scales };
            storeStrips(f, shape, height, { sums, rows, pitch: sumPitch, plane }, target, device);
          }
          f.free(slab, fresh, last, out, line, number, left, quads, singles, from, to);
        });
      }),
  };
};
