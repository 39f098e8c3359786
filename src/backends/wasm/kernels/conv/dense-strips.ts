import { epilogueKey } from "../../../specs/matmul/epilogue.js";
import { type Func, i32, type Local, v128 } from "../../asm/index.js";
import { type DeviceInfo, type KernelCode, kernelFunction } from "../../kernel.js";
import { madd } from "../../math.js";
import { denseRowsFor, loadSums, passesOf, storeSums } from "../matmul/dense-tile.js";
import { fences, loadsPerFence } from "../matmul/fences.js";
import { forHeights, SHARED, type Shared, type StripShape } from "./multiply-strips.js";
import { finishesInTile, storeStrip, storeStrips } from "./strip-store.js";

type I = Local<"i32">;

export interface DenseStripShape extends StripShape {
  /** Where each tap's input lies in a channel of a strip, in bytes; taps in the weight's order. */
  readonly taps: readonly number[];
  readonly channelBytes: number;
}

/** Vectors of a tile, at most. */
const WIDEST = 6;

/** Outputs that a tile computes; blocks of outputs are multiples of it. */
const tallOf = (height: number): number => denseRowsFor(passesOf(height, WIDEST)[0]!.vectors);

/**
 * Dense products over strips: a chunk is one strip × one block of outputs. Arguments: the shared ones, the weight [outputs, channels × taps] followed
 * by rows of zeros up to a whole block, channels of a slab and of all, outputs, outputs of a block. A tile of 2 outputs × 6 rows loads 6
 * vectors and 2 weights for 12 multiply-adds, as `denseTile` does: bound by the multiply-adds.
 */
export const denseStripCode = (shape: DenseStripShape): KernelCode => {
  const { heights, pitch, epilogue, taps, channelBytes } = shape;
  const sumPitch = 16 * heights[0]!;
  const inTile = finishesInTile(epilogue);
  return {
    key: `conv/dense-strips/${heights}/${pitch}/${taps}/${channelBytes}/${epilogueKey(epilogue)}`,
    build: (device) =>
      kernelFunction(SHARED + 5, (f, { chunk, thread }, args) => {
        const [x, sums, y, residual, bias, plane, rowBytes, , , strips, , , , slabBytes, , sumBytes] =
          args as unknown as Shared;
        const [weight, slabChannels, channels, outputs, block] = args.slice(SHARED) as [I, I, I, I, I];
        const p = f.local("i32", i32.rem_u(chunk, strips));
        const row = f.local("i32", i32.mul(i32.div_u(chunk, strips), block));
        const rows = f.local("i32", i32.sub(outputs, row));
        f.set(rows, i32.min_s(rows, block));
        const end = f.local("i32", i32.add(row, rows));
        const stride = f.local("i32", i32.mul(channels, 4 * taps.length));
        const w = f.local("i32", i32.add(weight, i32.mul(row, stride)));
        f.increment(sums, i32.mul(thread, sumBytes));
        f.set(residual, i32.sub(residual, y));
        f.increment(y, i32.mul(row, plane));
        forHeights(f, shape, p, args as unknown as Shared, ({ height, corner }) => {
          const tall = tallOf(height);
          const left = f.local("i32", channels);
          const fresh = f.local("i32", 1);
          const last = f.local("i32");
          const inSlab = f.local("i32");
          const number = f.local("i32");
          const out = f.local("i32");
          const from = f.local("i32");
          const line = f.local("i32");
          const to = f.local("i32");
          f.doWhile(
            () => {
              f.set(last, i32.le_s(left, slabChannels));
              f.set(inSlab, i32.min_s(left, slabChannels));
              f.set(number, row);
              f.set(out, sums);
              f.set(from, w);
              f.set(line, corner);
              f.doWhile(
                () => {
                  for (const pass of passesOf(height, WIDEST)) {
                    const carry = (tile: readonly (readonly Local<"v128">[])[]): void =>
                      storeSums(f, tile, (r, j) => r * sumPitch + 16 * (pass.first + j), out);
                    const finish = (tile: readonly (readonly Local<"v128">[])[]): void => {
                      const output = f.local("i32", number);
                      const first = f.local("i32", i32.add(line, i32.mul(rowBytes, pass.first)));
                      tile.forEach((vectors, r) => {
                        const put = (): void => {
                          f.set(to, first);
                          const target = { to, residual, rowBytes, row: output, bias, scales: bias };
                          storeStrip(f, { epilogue, scaled: false }, vectors, target, device);
                        };
                        if (r === 0) put();
                        else {
                          f.increment(output, 1);
                          f.increment(first, plane);
                          f.if(i32.lt_s(output, end), put);
                        }
                      });
                      f.free(output, first);
                    };
                    tile(
                      f,
                      { rows: tall, ...pass, sumPitch, shape },
                      { w: from, stride, x, channels: inSlab, sums: out, fresh },
                      inTile
                        ? (sums) =>
                            f.if(
                              last,
                              () => finish(sums),
                              () => carry(sums),
                            )
                        : carry,
                      device,
                    );
                  }
                  f.increment(from, i32.mul(stride, tall));
                  f.increment(out, tall * sumPitch);
                  f.increment(line, i32.mul(plane, tall));
                  f.increment(number, tall);
                },
                () => i32.lt_s(number, end),
              );
              f.increment(w, i32.mul(inSlab, 4 * taps.length));
              f.increment(x, slabBytes);
              f.set(left, i32.sub(left, inSlab));
              f.set(fresh, 0);
            },
            () => left,
          );
          if (!inTile) {
            const target = { to: corner, residual, rowBytes, row, bias, scales: bias };
            storeStrips(f, { epilogue, scaled: false }, height, { sums, rows, pitch: sumPitch, plane }, target, device);
          }
          f.free(left, fresh, last, inSlab, number, out, from, line, to);
        });
      }),
  };
};

interface Tile {
  readonly rows: number;
  readonly first: number;
  readonly vectors: number;
  readonly sumPitch: number;
  readonly shape: DenseStripShape;
}

/** One tile over one slab of channels: sums[r][j] += Σ W[r][channel, tap] · X[channel][tap's row + j]. */
function tile(
  f: Func,
  { rows, first, vectors, sumPitch, shape: { taps, pitch, channelBytes } }: Tile,
  at: { w: I; stride: I; x: I; channels: I; sums: I; fresh: I },
  store: (sums: readonly (readonly Local<"v128">[])[]) => void,
  device: DeviceInfo,
): void {
  const sums = Array.from({ length: rows }, () => f.localArray("v128", vectors));
  loadSums(f, sums, (r, j) => r * sumPitch + 16 * (first + j), at);
  const x = f.local("i32", i32.add(at.x, first * pitch));
  const w = Array.from({ length: rows }, (_, r) => f.local("i32", r === 0 ? at.w : undefined));
  for (let r = 1; r < rows; r++) f.set(w[r]!, i32.add(w[r - 1]!, at.stride));
  const end = f.local("i32", i32.add(w[0]!, i32.mul(at.channels, 4 * taps.length)));
  const held = f.localArray("v128", Math.min(rows, vectors));
  const moving = f.local("v128");
  const fence = fences(f, w[0]!);
  const spacing = loadsPerFence(rows * vectors + held.length);
  const byRow = rows > vectors;
  const steps = Math.max(rows, vectors);
  // Fences leave this block.
  f.block(() =>
    f.doWhile(
      () => {
        let loads = 0;
        taps.forEach((tap, t) => {
          const weight = (r: number) => v128.load32_splat(w[r]!, 4 * t);
          const column = (j: number) => v128.load(x, tap + pitch * j);
          held.forEach((vector, i) => f.set(vector, byRow ? column(i) : weight(i)));
          for (let i = 0; i < steps; i++) {
            f.set(moving, byRow ? weight(i) : column(i));
            held.forEach((vector, h) => {
              const sum = byRow ? sums[i]![h]! : sums[h]![i]!;
              f.set(sum, madd(moving, vector, sum, device));
            });
            if (++loads % spacing === 0 && !(t === taps.length - 1 && i === steps - 1)) fence(1);
          }
        });
        f.increment(x, channelBytes);
        for (const pointer of w) f.increment(pointer, 4 * taps.length);
      },
      () => i32.lt_u(w[0]!, end),
    ),
  );
  store(sums);
  f.free(...sums.flat(), x, ...w, end, ...held, moving);
}
