import type { Order } from "../../../specs/matmul/epilogue.js";
import { type Piece, unroll, type Wgsl, wgsl } from "../../wgsl/index.js";

/** How a dense operand lies in memory and is read. */
export interface MatrixFill {
  /** "feature-major": [K, length], "token-major": [length, K]; for W its rows stand for tokens. */
  readonly order: Order;
  /** Floats that are read at once along the inner axis, which the sides are multiples of. */
  readonly width: 1 | 2 | 4;
  /** K is no multiple of the step: what lies beyond counts as zero. */
  readonly ragged: boolean;
}

interface Operand extends MatrixFill {
  readonly name: string;
  /** Vectors [depth, length / 4] in workgroup memory. */
  readonly target: string;
  readonly length: number;
  readonly first: Piece;
  /** Columns that there are; those beyond repeat the last. */
  readonly count: Wgsl;
  readonly stride: Wgsl;
  readonly base: Piece | null;
  /** Columns of K are looked up, in runs of this many neighbours. */
  readonly gather: number | null;
}

interface Around {
  readonly depth: number;
  readonly threads: number;
  readonly K: Wgsl;
  readonly lane: Wgsl;
}

/** What brings a step's part of an operand to workgroup memory, by way of registers. */
export interface Fill {
  /** In front of the loop over K; declares the registers. */
  readonly before: Piece;
  /** Reads memory for `step`. */
  readonly load: Piece;
  /** Writes workgroup memory. */
  readonly store: Piece;
}

/** Brings a step's part of a dense matrix to workgroup memory, k outermost. */
export const matrixFill = (operand: Operand, around: Around): Fill =>
  operand.order === "feature-major" ? fillRows(operand, around) : fillTransposed(operand, around);

/** Units of work of one thread: `all` of them over `threads`, the last one perhaps for some threads only. */
export function shares(
  all: number,
  { threads, lane }: Pick<Around, "threads" | "lane">,
): { index: Wgsl; guard: Wgsl | null }[] {
  return Array.from({ length: Math.ceil(all / threads) }, (_, i) => ({
    index: i === 0 ? lane : wgsl`(${lane} + ${i * threads}u)`,
    guard: (i + 1) * threads > all ? wgsl`${lane} < ${all - i * threads}u` : null,
  }));
}

export const guarded = (guard: Wgsl | null, body: Piece): Piece =>
  guard === null
    ? body
    : wgsl`
        if (${guard}) {
          ${body}
        }
      `;

/** [K, length]: vectors along the length, as they lie. */
function fillRows(
  { name, target, length, first, count, stride, width, ragged, base, gather }: Operand,
  around: Around,
): Fill {
  const { depth, K } = around;
  const vectors = length / 4;
  const parts = shares(depth * vectors, around);
  const reads = 4 / width;
  const divided = width === 1 ? "" : ` / ${width}u`;
  const start = base === null ? "" : wgsl` + ${base}`;
  const before = [
    wgsl`let ${name}_pitch = ${stride}${divided};`,
    parts.map(({ index }, i) => [
      wgsl`var ${name}_part${i}: vec4<f32>;`,
      wgsl`let ${name}_to${i} = ${index};`,
      wgsl`let ${name}_k${i} = ${name}_to${i} / ${vectors}u;`,
      gather === null ? [] : wgsl`var ${name}_c${i} = ${columnAt(gather, depth, `${name}_k${i}`, "0u")};`,
      unroll(reads, (j) => {
        const n = wgsl`min(${first} + 4u * (${name}_to${i} % ${vectors}u) + ${j * width}u, ${count} - ${width}u)`;
        const line = gather === null ? wgsl` + ${name}_k${i} * ${name}_pitch` : "";
        return wgsl`let ${name}_i${i}_${j} = (${n}${start})${divided}${line};`;
      }),
    ]),
  ];
  const load = [
    gather === null ? wgsl`let ${name}_step = step * ${depth}u * ${name}_pitch;` : [],
    parts.map(({ guard }, i) => {
      const line = gather === null ? `${name}_step` : wgsl`${name}_c${i} * ${name}_pitch`;
      const pieces = unroll(reads, (j) => `${name}[${name}_i${i}_${j} + ${wgsl`${line}`}]`);
      const read = wgsl`${name}_part${i} = ${reads === 1 ? pieces : `vec4<f32>(${pieces.join(", ")})`};`;
      const inside = gather === null ? wgsl`step * ${depth}u + ${name}_k${i} < ${K}` : wgsl`${name}_c${i} < ${K}`;
      return guarded(guard, [
        ragged ? [wgsl`${name}_part${i} = vec4<f32>();`, guarded(inside, read)] : read,
        gather === null ? [] : nextColumn(name, i, gather, depth),
      ]);
    }),
  ];
  const store = parts.map(({ guard }, i) => guarded(guard, wgsl`${target}[${name}_to${i}] = ${name}_part${i};`));
  return { before, load, store };
}

/** The column of K at place `k` of a step. */
const columnAt = (run: number, depth: number, k: string, step: string): Wgsl =>
  run === 1
    ? wgsl`kept[(first_step + ${step}) * ${depth}u + ${k}]`
    : wgsl`kept[(first_step + ${step}) * ${depth / run}u + ${k} / ${run}u] + ${k} % ${run}u`;

/** Looks up the column of the step after `step`, so that reading X need not wait for it. */
const nextColumn = (name: string, i: number, run: number, depth: number): Wgsl =>
  wgsl`${name}_c${i} = ${columnAt(run, depth, `${name}_k${i}`, "min(step + 1u, steps - 1u)")};`;

/**
 * How many neighbouring k a thread reads of each of its four columns when the matrix is [length, K]: as many as a vector has, as
 * long as every thread has some.
 */
export function transposedDepth(
  tile: { depth: number },
  length: number,
  threads: number,
  gather: number | null,
): 1 | 2 | 4 {
  const share = (tile.depth * length) / (4 * threads);
  return Math.min(gather ?? 4, share >= 4 ? 4 : share >= 2 ? 2 : 1) as 1 | 2 | 4;
}

/** [length, K]: blocks of four columns and some k, transposed in registers. */
function fillTransposed(
  { name, target, length, first, count, stride, width, ragged, base, gather }: Operand,
  around: Around,
): Fill {
  const { depth, threads, K } = around;
  const deep = transposedDepth(around, length, threads, gather);
  const reads = deep / width;
  const blocks = depth / deep;
  const parts = shares((blocks * length) / 4, around);
  const divided = width === 1 ? "" : ` / ${width}u`;
  const start = base === null ? "" : wgsl` + ${base}`;
  const type = width === 1 ? "f32" : `vec${width}<f32>`;
  const before = parts.map(({ index }, i) => [
    unroll(reads, (p) => unroll(4, (j) => wgsl`var ${name}_part${i}_${j}_${p}: ${type};`)),
    wgsl`let ${name}_k${i} = (${index} % ${blocks}u) * ${deep}u;`,
    wgsl`let ${name}_v${i} = ${index} / ${blocks}u;`,
    gather === null ? [] : wgsl`var ${name}_c${i} = ${columnAt(gather, depth, `${name}_k${i}`, "0u")};`,
    wgsl`let ${name}_to${i} = ${name}_k${i} * ${length / 4}u + ${name}_v${i};`,
    unroll(4, (j) => {
      const line = wgsl`min(${first} + 4u * ${name}_v${i} + ${j}u, ${count} - 1u) * ${stride}${start}`;
      return wgsl`let ${name}_i${i}_${j} = (${line}${gather === null ? ` + ${name}_k${i}` : ""})${divided};`;
    }),
  ]);
  const load = parts.map(({ guard }, i) => {
    const next = gather === null ? [] : nextColumn(name, i, gather, depth);
    const step = gather === null ? wgsl`step * ${depth / width}u` : `${name}_c${i}${divided}`;
    const k = gather === null ? wgsl`step * ${depth}u + ${name}_k${i}` : wgsl`${name}_c${i}`;
    // Part p of a block has the k from p · width.
    const pieces = unroll(reads, (p) => {
      const lines = unroll(
        4,
        (j) => wgsl`${name}_part${i}_${j}_${p} = ${name}[${name}_i${i}_${j} + ${step}${p === 0 ? "" : ` + ${p}u`}];`,
      );
      const none = unroll(4, (j) => wgsl`${name}_part${i}_${j}_${p} = ${type}();`);
      return ragged ? [none, guarded(wgsl`${k} + ${p * width}u < ${K}`, lines)] : lines;
    });
    return guarded(guard, [pieces, next]);
  });
  const store = parts.map(({ guard }, i) =>
    guarded(
      guard,
      unroll(deep, (k) => {
        const [p, lane] = [Math.floor(k / width), width === 1 ? "" : `.${"xyzw"[k % width]}`];
        const four = [0, 1, 2, 3].map((j) => `${name}_part${i}_${j}_${p}${lane}`).join(", ");
        return wgsl`${target}[${name}_to${i} + ${(k * length) / 4}u] = vec4<f32>(${four});`;
      }),
    ),
  );
  return { before, load, store };
}
