import type { Order } from "../../../specs/matmul/epilogue.js";
import { type Piece, unroll, type Wgsl, wgsl } from "../../wgsl/index.js";
import { lineOf, linePitch } from "./lines.js";
import type { Tile } from "./tiling.js";

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
  /** Lines of `length` floats in workgroup memory, as lines.ts has them. */
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
  readonly tile: Tile;
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
function shares(
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

/** A sum of a name and a number, of which none is written that adds nothing. */
const plus = (name: string, more: number): string => (more === 0 ? name : `${name} + ${more}u`);

/** The line of k, the name of one below `rows`, a power of two. The line of k + i · rows is that of i · rows after it. */
function lineText(tile: Tile, k: string, rows: number): string {
  if (tile.rolled) return k;
  return rows > 4 ? `(${k} % 4u * ${lineOf(tile, 1)}u + ${k} / 4u)` : `${k} * ${lineOf(tile, 1)}u`;
}

/** [K, length]: vectors along the length, as they lie. */
function fillRows(
  { name, target, length, first, count, stride, width, ragged, base, gather }: Operand,
  around: Around,
): Fill {
  const { tile, K, lane, threads } = around;
  const { depth } = tile;
  const vectors = length / 4;
  // Part i of a thread has the k that is i · rows after its first one.
  const rows = threads / vectors;
  const parts = shares(depth * vectors, around);
  const reads = 4 / width;
  const divided = width === 1 ? "" : ` / ${width}u`;
  const start = base === null ? "" : wgsl` + ${base}`;
  const pitch = linePitch(tile, length);
  const runOf = (i: number): Wgsl =>
    together ? wgsl`${Math.floor((i * rows) / gather!)}u` : wgsl`(${plus(`${name}_k`, i * rows)}) / ${gather!}u`;
  // What all threads have in common is left out of their own indices: their k, or its place in a run that all of them read.
  const together = gather !== null && gather % rows === 0 && !ragged;
  const own = gather === null || together;
  const before = [
    wgsl`let ${name}_pitch = ${stride}${divided};`,
    wgsl`let ${name}_k = ${lane} / ${vectors}u;`,
    wgsl`let ${name}_v = ${lane} % ${vectors}u;`,
    wgsl`let ${name}_to = ${lineText(tile, `${name}_k`, rows)} * ${pitch}u + ${name}_v;`,
    unroll(reads, (j) => {
      const n = wgsl`(min(${first} + 4u * ${name}_v + ${j * width}u, ${count} - ${width}u)${start})${divided}`;
      return [
        wgsl`let ${name}_i${j} = ${n}${own ? ` + ${name}_k * ${name}_pitch` : ""};`,
        ragged && gather === null ? wgsl`let ${name}_last${j} = ${n} + (${K} - 1u) * ${name}_pitch;` : [],
      ];
    }),
    parts.map((_, i) => [
      wgsl`var ${name}_part${i}: vec4<f32>;`,
      ragged ? wgsl`var ${name}_in${i}: bool;` : [],
      gather === null ? [] : wgsl`var ${name}_run${i} = ${runAt(gather, depth, runOf(i), "0u")};`,
    ]),
  ];
  const load = parts.map(({ guard }, i) => {
    const from = gather === null ? plus(`step * ${depth}u`, i * rows) : plus(`${name}_run${i}`, (i * rows) % gather);
    const k = own ? from : wgsl`${name}_run${i} + (${plus(`${name}_k`, i * rows)}) % ${gather!}u`;
    const line = ragged && gather !== null ? wgsl`min(${k}, ${K} - 1u)` : wgsl`(${k})`;
    const pieces = unroll(reads, (j) => {
      const at = wgsl`${name}_i${j} + ${name}_line${i}`;
      return `${name}[${ragged && gather === null ? wgsl`min(${at}, ${name}_last${j})` : at}]`;
    });
    return guarded(guard, [
      wgsl`let ${name}_line${i} = ${line} * ${name}_pitch;`,
      wgsl`${name}_part${i} = ${reads === 1 ? pieces : `vec4<f32>(${pieces.join(", ")})`};`,
      ragged ? wgsl`${name}_in${i} = ${gather === null ? `${k} + ${name}_k` : k} < ${K};` : [],
      gather === null ? [] : wgsl`${name}_run${i} = ${runAt(gather, depth, runOf(i), NEXT)};`,
    ]);
  });
  const store = parts.map(({ guard }, i) => {
    const value = ragged ? wgsl`select(vec4<f32>(), ${name}_part${i}, ${name}_in${i})` : `${name}_part${i}`;
    return guarded(guard, wgsl`${target}[${plus(`${name}_to`, lineOf(tile, i * rows) * pitch)}] = ${value};`);
  });
  return { before, load, store };
}

/** The step after `step`: its columns are looked up early, so that reading X need not wait for them. */
const NEXT = "min(step + 1u, steps - 1u)";

/** The first column of run `run` of a step. */
const runAt = (gather: number, depth: number, run: Piece, step: string): Wgsl =>
  wgsl`kept[(first_step + ${step}) * ${depth / gather}u + ${run}]`;

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
  const { tile, threads, K } = around;
  const { depth } = tile;
  const deep = transposedDepth(tile, length, threads, gather);
  const reads = deep / width;
  const blocks = depth / deep;
  const parts = shares((blocks * length) / 4, around);
  const divided = width === 1 ? "" : ` / ${width}u`;
  const start = base === null ? "" : wgsl` + ${base}`;
  const type = width === 1 ? "f32" : `vec${width}<f32>`;
  const pitch = linePitch(tile, length);
  // The index has the thread's own k, unless what is added to it depends on that.
  const own = gather === null && !ragged;
  // Blocks begin at multiples of `deep`, which divides 4.
  const line = (i: number): string =>
    tile.rolled
      ? `${name}_k${i}`
      : deep === 4
        ? `${name}_k${i} / 4u`
        : `(${name}_k${i} % 4u * ${depth / 4}u + ${name}_k${i} / 4u)`;
  const before = parts.map(({ index }, i) => [
    unroll(reads, (p) => [
      unroll(4, (j) => wgsl`var ${name}_part${i}_${j}_${p}: ${type};`),
      ragged ? wgsl`var ${name}_in${i}_${p}: bool;` : [],
    ]),
    wgsl`let ${name}_k${i} = (${index} % ${blocks}u) * ${deep}u;`,
    wgsl`let ${name}_v${i} = ${index} / ${blocks}u;`,
    gather === null ? [] : wgsl`var ${name}_run${i} = ${runAt(gather, depth, `${name}_k${i} / ${gather}u`, "0u")};`,
    wgsl`let ${name}_to${i} = ${line(i)} * ${pitch}u + ${name}_v${i};`,
    unroll(4, (j) => {
      const line = wgsl`min(${first} + 4u * ${name}_v${i} + ${j}u, ${count} - 1u) * ${stride}${start}`;
      return wgsl`let ${name}_i${i}_${j} = (${line}${own ? ` + ${name}_k${i}` : ""})${divided};`;
    }),
  ]);
  const load = parts.map(({ guard }, i) => {
    const inRun = gather === null || gather === deep ? "" : ` + ${name}_k${i} % ${gather}u`;
    const k = gather === null ? wgsl`step * ${depth}u + ${name}_k${i}` : wgsl`${name}_run${i}${inRun}`;
    // Part p of a block has the k from p · width.
    const pieces = unroll(reads, (p) => {
      const from = wgsl`${k}${p === 0 ? "" : ` + ${p * width}u`}`;
      const at = ragged
        ? wgsl`min(${from}, ${K} - ${width}u)${divided}`
        : own
          ? wgsl`step * ${depth / width}u + ${p}u`
          : wgsl`(${from})${divided}`;
      return [
        wgsl`let ${name}_at${i}_${p} = ${at};`,
        unroll(4, (j) => wgsl`${name}_part${i}_${j}_${p} = ${name}[${name}_i${i}_${j} + ${name}_at${i}_${p}];`),
        ragged ? wgsl`${name}_in${i}_${p} = ${from} < ${K};` : [],
      ];
    });
    const next =
      gather === null ? [] : wgsl`${name}_run${i} = ${runAt(gather, depth, `${name}_k${i} / ${gather}u`, NEXT)};`;
    return guarded(guard, [pieces, next]);
  });
  const store = parts.map(({ guard }, i) =>
    guarded(
      guard,
      unroll(deep, (k) => {
        const [p, lane] = [Math.floor(k / width), width === 1 ? "" : `.${"xyzw"[k % width]}`];
        const four = wgsl`vec4<f32>(${[0, 1, 2, 3].map((j) => `${name}_part${i}_${j}_${p}${lane}`).join(", ")})`;
        const value = ragged ? wgsl`select(vec4<f32>(), ${four}, ${name}_in${i}_${p})` : four;
        return wgsl`${target}[${plus(`${name}_to${i}`, lineOf(tile, k) * pitch)}] = ${value};`;
      }),
    ),
  );
  return { before, load, store };
}
