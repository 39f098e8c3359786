/*
 * What the matrix kernels for WebGPU cost on AMD's GPUs, by their compiler: `npm run bench:gpu-isa [-- --json] [-- --write]`. Nothing runs, so the
 * figures are the same on every run and machine. How they are read is in docs/webgpu-kernels.md, whose table `--write` renews.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseTile, type Tile } from "../src/backends/webgpu/kernels/matmul/tiling.js";
import { bytesOf, type SparseTensor } from "../src/layouts/index.js";
import { type Captured, capture, denseWeight, PLAIN_GPU, sparseWeight } from "../test/support/capture-webgpu.js";
import { denseTwin } from "./dense-twin.js";

const TOOL = fileURLToPath(new URL("../../shared/tools/gpu-isa/gpu-isa.mjs", import.meta.url));
const DOCS = fileURLToPath(new URL("../docs/webgpu-kernels.md", import.meta.url));
const FAMILIES = ["navi31", "vega10"];
interface Unit {
  /** Workgroup memory that a compute unit shares out, in what portions, and the SIMD units that share it. */
  readonly memory: number;
  readonly portion: number;
  readonly simds: number;
  /** Cycles of a multiply-add of 64 threads. */
  readonly cycles: number;
}
const UNITS: Readonly<Record<string, Unit>> = {
  navi31: { memory: 65536, portion: 1024, simds: 2, cycles: 1 },
  vega10: { memory: 65536, portion: 512, simds: 4, cycles: 4 },
};
/** How often the compiler takes a loop to run. */
const TRIPS = 8;
const SHAPE = [2048, 1024, 1024] as const;

interface Figures {
  readonly inverse_throughput: number;
  readonly valu: number;
  /** Multiply-adds in a trip of the loop that the result needs. */
  readonly fma: number;
  /** The share of them in the estimated cycles. */
  readonly fma_share: number;
  readonly waves: number;
}

export interface Result extends Figures {
  readonly kernel: string;
  readonly layout: string;
  /** The layout with its parameters. */
  readonly parameters: string;
  readonly sparsity: number;
  /** Rows × tokens of a workgroup × k of a trip of the loop / rows × tokens of a thread. */
  readonly tile: string;
  /** The k between two barriers. */
  readonly step: number;
  readonly x: "[K, N]" | "[N, K]";
  readonly family: string;
  readonly dense_ratio: number;
}

/** Bytes of W that a kernel for few tokens reads, from the buffers that its launch binds, and those of the layout. */
export interface BytesResult {
  readonly kernel: string;
  readonly layout: string;
  readonly values: string;
  readonly sparsity: number;
  readonly bytes_per_weight: number;
  readonly layout_bytes_per_weight: number;
}

/** Statistics of one shader for each family. */
function figuresOf(text: string, threadTile: number, kept: number): Map<string, Figures> {
  const folder = mkdtempSync(join(tmpdir(), "gpu-isa-"));
  const file = join(folder, "kernel.wgsl");
  writeFileSync(file, text);
  const out = execFileSync(process.execPath, [TOOL, "--family", FAMILIES.join(), file], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  rmSync(folder, { recursive: true });
  const figures = new Map<string, Figures>();
  for (const family of FAMILIES) {
    const line = out.split("\n").find((l) => l.includes(`${family}:`))!;
    const figure = (name: string) => Number(new RegExp(`${name} (\\d+)`).exec(line)![1]);
    const [fma, inverse_throughput] = [threadTile * kept, figure("Inverse Throughput")];
    figures.set(family, {
      inverse_throughput,
      valu: figure("VALU"),
      fma,
      fma_share: Number(((TRIPS * fma * UNITS[family]!.cycles) / inverse_throughput).toFixed(3)),
      waves: wavesOf(family, text, figure("Subgroups per SIMD"), figure("LDS size")),
    });
  }
  return figures;
}

/** Waves of 64 threads that are resident on a SIMD unit: as many as registers and workgroup memory leave room for. */
function wavesOf(family: string, text: string, byRegisters: number, bytes: number): number {
  const { memory, portion, simds } = UNITS[family]!;
  const waves = Math.ceil(Number(/@workgroup_size\((\d+)/.exec(text)![1]) / 64);
  const groups = Math.floor(memory / (Math.ceil(bytes / portion) * portion));
  return Math.min(byRegisters, Math.ceil((groups * waves) / simds));
}

const textOf = ({ rows, tokens, depth, unroll, threadRows, threadVectors }: Tile): string =>
  `${rows}x${tokens}x${depth * unroll}/${threadRows}x${4 * threadVectors}`;

interface Case {
  readonly pattern: string;
  readonly layout: string;
  readonly sparsity: number;
}

const CASES: readonly Case[] = [
  ...[4, 8, 16, 32, 64, 128].flatMap((v) => [
    { pattern: `${v}:2:4`, layout: `v:n:m:${v}:2:4`, sparsity: 0.5 },
    { pattern: `${v}:1:4`, layout: `v:n:m:${v}:1:4`, sparsity: 0.75 },
    { pattern: `${v}:2:16`, layout: `v:n:m:${v}:2:16`, sparsity: 0.875 },
  ]),
  { pattern: "8:1:8", layout: "v:n:m:8:1:8", sparsity: 0.875 },
  { pattern: "8:2:8", layout: "v:n:m:8:2:8", sparsity: 0.75 },
  { pattern: "block:16x16@90%", layout: "bsr:16x16", sparsity: 0.9 },
  { pattern: "block:32x32@90%", layout: "bsr:32x32", sparsity: 0.9 },
  { pattern: "block:64x64@90%", layout: "bsr:64x64", sparsity: 0.9 },
  { pattern: "block:32x32@75%", layout: "bsr:32x32", sparsity: 0.75 },
  { pattern: "block:64x64@75%", layout: "bsr:64x64", sparsity: 0.75 },
  { pattern: "2:4", layout: "semi-structured", sparsity: 0.5 },
  { pattern: "50%", layout: "bitmask", sparsity: 0.5 },
];

const nameOf = (layout: string): string => /^(v:n:m|n:m|bsr|bnm|[a-z-]+)/.exec(layout)![1]!;

function measure(): Result[] {
  const results: Result[] = [];
  const twins = new Map<string, Map<string, Figures & { readonly outside: number }>>();
  const [M, K] = SHAPE;
  for (const featureMajor of [true, false]) {
    const x = featureMajor ? "[K, N]" : "[N, K]";
    const twinOf = (launch: Captured) => {
      const dense = denseTwin(launch.code.key, featureMajor);
      const known = twins.get(dense.code.key);
      if (known) return { ...dense, figures: known };
      const { tile } = dense;
      const work = 4 * tile.threadRows * tile.threadVectors;
      const whole = figuresOf(dense.code.build(PLAIN_GPU), work, tile.depth * tile.unroll);
      // Twice a loop of half the trips, less once the whole, leaves what lies outside the loop.
      const half = figuresOf(dense.half.build(PLAIN_GPU), work, tile.depth);
      const figures = new Map(
        [...whole].map(([family, f]) => {
          const outside = Math.max(0, 2 * half.get(family)!.inverse_throughput - f.inverse_throughput);
          return [family, { ...f, outside }] as const;
        }),
      );
      twins.set(dense.code.key, figures);
      for (const [family, { outside: _, ...f }] of figures)
        results.push({
          kernel: "tile",
          layout: "dense",
          parameters: "dense",
          sparsity: 0,
          tile: textOf(tile),
          step: tile.depth,
          x,
          family,
          ...f,
          dense_ratio: 1,
        });
      return { ...dense, figures };
    };
    twinOf(capture(denseWeight(M, K), SHAPE, featureMajor)[0]!);
    for (const { pattern, layout, sparsity } of CASES) {
      const weight = sparseWeight(M, K, pattern, layout, "float32");
      const launch = capture(weight, SHAPE, featureMajor)[0]!;
      const twin = twinOf(launch);
      const { tile } = twin;
      const kind = launch.code.key
        .split("/")
        .find((part) => /^(bands|columns|expand)/.test(part))!
        .split(":")[0]!;
      const deep = tile.depth * tile.unroll;
      const kept = kind === "bands" ? deep * (1 - sparsity) : deep;
      const figures = figuresOf(launch.code.build(PLAIN_GPU), 4 * tile.threadRows * tile.threadVectors, kept);
      for (const [family, f] of figures) {
        const dense = twin.figures.get(family)!;
        // A trip of "columns" takes as many kept k as one of the dense kernel takes k: that one makes the more trips.
        const more = kind === "columns" ? 1 / (1 - sparsity) : 1;
        const denseTime = dense.outside + more * (dense.inverse_throughput - dense.outside);
        const dense_ratio = Number((denseTime / f.inverse_throughput).toFixed(3));
        results.push({
          kernel: kind,
          layout: nameOf(layout),
          parameters: layout,
          sparsity,
          tile: textOf(parseTile(launch.code.key)),
          step: parseTile(launch.code.key).depth,
          x,
          family,
          ...f,
          dense_ratio,
        });
      }
    }
  }
  return results;
}

const BYTES_CASES: readonly (readonly [string, string, number])[] = [
  ["2:4", "semi-structured", 0.5],
  ["1:4", "n:m:1:4", 0.75],
  ["2:8", "n:m:2:8", 0.75],
  ["32:2:8", "v:n:m:32:2:8", 0.75],
  ["50%", "bitmask", 0.5],
  ["80%", "bitmask", 0.8],
  ["95%", "csr", 0.95],
  ["block:16x16@90%", "bsr:16x16", 0.9],
];

function measureBytes(): BytesResult[] {
  const [M, K] = [256, 2048];
  return BYTES_CASES.flatMap(([pattern, layout, sparsity]) =>
    (["float32", "float16", "int8"] as const).map((values) => {
      const weight: SparseTensor = sparseWeight(M, K, pattern, layout, values);
      const [launch] = capture(weight, [M, K, 1], false);
      const read = Object.entries(launch!.bindings).filter(([name]) => !["x", "y"].includes(name));
      const bytes = read.reduce((sum, [, buffer]) => sum + buffer.bytes, 0);
      const per = (count: number) => Number((count / (M * K)).toFixed(4));
      return {
        kernel: "rows",
        layout,
        values,
        sparsity,
        bytes_per_weight: per(bytes),
        layout_bytes_per_weight: per(bytesOf(weight.stored)),
      };
    }),
  );
}

const percent = (share: number): string => `${Number((100 * share).toFixed(1))} %`;

function tablesOf(results: readonly Result[], bytes: readonly BytesResult[]): string {
  const rows = results.map(
    (r) =>
      `| ${r.family} | ${r.x} | ${r.parameters} | ${r.kernel} | ${r.sparsity === 0 ? "" : percent(r.sparsity)} | ${r.tile} | ${r.step} | ${r.inverse_throughput} | ${r.valu} | ${percent(r.fma / r.valu)} | ${percent(r.fma_share)} | ${r.waves} | ${r.layout === "dense" ? "" : `**${r.dense_ratio.toFixed(2)}**`} |`,
  );
  const byteRows = bytes.map(
    (r) =>
      `| ${r.layout} | ${percent(r.sparsity)} | ${r.values} | ${r.bytes_per_weight} | ${r.layout_bytes_per_weight} |`,
  );
  return [
    "| GPU | x | layout | kernel | sparsity | tile | step | inverse throughput | VALU | multiply-adds of VALU | of cycles | waves | × dense |",
    "| --- | --- | --- | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ...rows,
    "",
    "Bytes of W that the kernel for few tokens reads, for each weight of the dense matrix:",
    "",
    "| layout | sparsity | values | kernel | layout |",
    "| --- | ---: | --- | ---: | ---: |",
    ...byteRows,
  ].join("\n");
}

const missing = [TOOL, "/usr/share/vulkan/icd.d/radeon_icd.json", "/usr/share/vulkan/icd.d/lvp_icd.json"].filter(
  (file) => !existsSync(file),
);
const json = process.argv.includes("--json");
if (missing.length > 0) {
  const reason = `bench:gpu-isa skipped: ${missing.join(", ")} missing (set up ../shared/tools/gpu-isa first)`;
  console.log(json ? JSON.stringify({ skipped: reason, results: [] }) : reason);
} else {
  const [results, bytes] = [measure(), measureBytes()];
  const tables = tablesOf(results, bytes);
  console.log(json ? JSON.stringify({ results, bytes }, null, 1) : tables);
  if (process.argv.includes("--write")) {
    const [before, after] = readFileSync(DOCS, "utf8").split(/<!-- table -->[\s\S]*<!-- end -->/);
    writeFileSync(DOCS, `${before}<!-- table -->\n${tables}\n<!-- end -->${after}`);
  }
}
