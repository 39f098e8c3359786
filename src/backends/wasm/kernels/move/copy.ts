import type { ElementBytes } from "../../../specs/node.js";
import { collapse, type Walk } from "../../../specs/walk.js";
import { i32, type V128, v128 } from "../../asm/index.js";
import { type Argument, type Buffer, type KernelCode, kernelFunction, type Lowering } from "../../kernel.js";
import { forRows, perChunk, rowArgumentCount, rowArguments } from "../rows.js";
import { copyBytes, copyElement, repeatElement } from "./run.js";

/** One side of a copy: where its first element lies, in elements of the buffer, and the steps along the copy's axes. */
export interface Side {
  readonly buffer: Buffer;
  readonly start: number;
  readonly strides: readonly number[];
}

/** into[Σ i·into.strides] = from[Σ i·from.strides] for every index i of `dims`. */
export interface StridedCopy {
  readonly bytes: ElementBytes;
  readonly dims: readonly number[];
  readonly into: Side;
  readonly from: Side;
}

/** Adds the launches of a strided copy: what Transpose, Slice, Concat, Split, Expand, … all are. */
export function launchCopy(to: Lowering, copy: StridedCopy): void {
  const { bytes } = copy;
  const walk = collapse({ dims: copy.dims, strides: [copy.into.strides, copy.from.strides] });
  if (walk.dims.includes(0)) return;
  const rank = walk.dims.length;
  const [into, from] = walk.strides as [readonly number[], readonly number[]];
  const sides = [copy.into, copy.from].map(({ buffer, start }) => ({ buffer, offset: start * bytes }));
  const contiguous = into.at(-1) === 1 && from.at(-1) === 1;
  if (rank === 1 && contiguous) {
    const total = walk.dims[0]! * bytes;
    const each = perChunk(1) * 2;
    to.launch(blockCode, [...sides, total, each], Math.ceil(total / each));
    return;
  }
  const across = into.at(-1) === 1 && bytes === 4 ? from.indexOf(1) : -1;
  if (across >= 0 && across < rank - 1 && walk.dims[across]! >= 4 && walk.dims.at(-1)! >= 4) {
    launchTranspose(to, walk, sides, across);
    return;
  }
  launchRows(to, bytes, walk, sides);
}

type Sides = readonly { readonly buffer: Buffer; readonly offset: number }[];

const placesOf = (sides: Sides, bytes: number) => sides.map((at) => ({ at, bytes }));

/** Row by row, whatever the strides are. */
function launchRows(to: Lowering, bytes: ElementBytes, walk: Walk, sides: Sides): void {
  const [into, from] = walk.strides.map((strides) => strides.at(-1)!) as [number, number];
  const rank = walk.dims.length;
  const kind = into !== 1 ? "strided" : from === 1 ? "run" : from === 0 ? "repeat" : "strided";
  const { args, chunks } = rowArguments(walk, placesOf(sides, bytes), walk.dims.at(-1)! * 2 * bytes);
  const steps: Argument[] = kind === "strided" ? [into * bytes, from * bytes] : [];
  to.launch(rowsCode(kind, rank, bytes), [...args, ...steps], chunks);
}

/** 4 × 4 blocks: `across` is the axis along which the source is contiguous. */
function launchTranspose(to: Lowering, walk: Walk, sides: Sides, across: number): void {
  const dims = walk.dims.toSpliced(across, 1);
  const dim = walk.dims[across]!;
  const blocks = Math.floor(dim / 4);
  const reordered = (inner: number[], count: number, scale: number): Walk => ({
    dims: [...dims.slice(0, -1), count, ...inner],
    strides: walk.strides.map((strides) => {
      const rest = strides.toSpliced(across, 1);
      return [...rest.slice(0, -1), strides[across]! * scale, ...rest.slice(-1)];
    }),
  });
  const length = walk.dims.at(-1)!;
  const tiles = reordered([length], blocks, 4);
  const { args, chunks } = rowArguments(tiles, placesOf(sides, 4), length * 32);
  const rank = tiles.dims.length;
  to.launch(transposeCode(rank), [...args, walk.strides[0]![across]! * 4, walk.strides[1]!.at(-1)! * 4], chunks);
  const rest = dim - 4 * blocks;
  if (rest === 0) return;
  const beyond = sides.map(({ buffer, offset }, side) => ({
    buffer,
    offset: offset + 16 * blocks * walk.strides[side]![across]!,
  }));
  launchRows(to, 4, reordered([length], rest, 1), beyond);
}

/** Arguments: to, from, bytes, bytes per chunk. */
const blockCode: KernelCode = {
  key: "copy/block",
  build: () =>
    kernelFunction(4, (f, { chunk }, [to, from, total, each]) => {
      const begin = f.local("i32", i32.mul(chunk, each!));
      const left = f.local("i32", i32.sub(total!, begin));
      f.memoryCopy(i32.add(to!, begin), i32.add(from!, begin), i32.min_s(left, each!));
    }),
};

/** Arguments: those of `forRows`; for "strided" the inner steps in bytes. */
const rowsCode = (kind: "run" | "repeat" | "strided", rank: number, bytes: ElementBytes): KernelCode => ({
  key: `copy/${kind}/${rank}/${bytes}`,
  build: () =>
    kernelFunction(0, (f, { chunk }, _, args) => {
      const own = rowArgumentCount(rank, 2);
      const steps = kind === "strided" ? [0, 1].map((i) => f.local("i32", i32.load(args, 4 * (own + i)))) : [];
      const length = f.local("i32");
      forRows(f, chunk, args, { rank, tensors: 2 }, ([to, from], inner) => {
        if (kind === "run") {
          f.set(length, i32.mul(inner, bytes));
          copyBytes(f, bytes, to!, from!, length);
        } else if (kind === "repeat") repeatElement(f, bytes, to!, from!, inner);
        else {
          f.set(length, inner);
          f.doWhile(
            () => {
              copyElement(f, bytes, to!, from!);
              f.increment(to!, steps[0]!);
              f.increment(from!, steps[1]!);
              f.increment(length, -1);
            },
            () => length,
          );
        }
      });
    }),
});

/** A 4 × 4 matrix in four vectors, transposed. */
function transposed(rows: readonly V128[]): V128[] {
  const [a, b, c, d] = rows as [V128, V128, V128, V128];
  const pairs = (x: V128, y: V128, half: 0 | 2) => v128.shuffle32(x, y, [half, half + 4, half + 1, half + 5] as never);
  const join = (x: V128, y: V128, half: 0 | 2) => v128.shuffle32(x, y, [half, half + 1, half + 4, half + 5] as never);
  return [
    join(pairs(a, b, 0), pairs(c, d, 0), 0),
    join(pairs(a, b, 0), pairs(c, d, 0), 2),
    join(pairs(a, b, 2), pairs(c, d, 2), 0),
    join(pairs(a, b, 2), pairs(c, d, 2), 2),
  ];
}

/**
 * Rows in fours: the source is contiguous across the four, the target along them. Arguments: those of `forRows`, the step
 * between target rows and the step along the source, in bytes.
 */
const transposeCode = (rank: number): KernelCode => ({
  key: `copy/transpose/${rank}`,
  build: () =>
    kernelFunction(0, (f, { chunk }, _, args) => {
      const own = rowArgumentCount(rank, 2);
      const rowStep = f.local("i32", i32.load(args, 4 * own));
      const step = f.local("i32", i32.load(args, 4 * (own + 1)));
      const left = f.local("i32");
      const columns = f.localArray("v128", 4);
      forRows(f, chunk, args, { rank, tensors: 2 }, ([to, from], inner) => {
        const targets = [to!, ...f.localArray("i32", 3)];
        targets.slice(1).forEach((target, r) => {
          f.set(target, i32.add(targets[r]!, rowStep));
        });
        const advance = (bytes: number) => {
          for (const target of targets) f.increment(target, bytes);
        };
        f.set(left, inner);
        f.while(i32.ge_s(left, 4), () => {
          for (const column of columns) {
            f.set(column, v128.load(from!));
            f.increment(from!, step);
          }
          transposed(columns).forEach((row, r) => {
            f.storeV128(targets[r]!, row);
          });
          advance(16);
          f.increment(left, -4);
        });
        f.while(left, () => {
          f.set(columns[0]!, v128.load(from!));
          f.increment(from!, step);
          targets.forEach((target, r) => {
            f.store32Lane(target, columns[0]!, r);
          });
          advance(4);
          f.increment(left, -1);
        });
        f.free(...targets.slice(1));
      });
    }),
});
