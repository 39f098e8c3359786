import { bytes as bytesText, milliseconds } from "../../../src/cli/output.js";
import { barChart } from "../../chart.js";
import { markdown, threadsText } from "../../markdown.js";
import type { Case, Results, Row } from "../results.js";
import { type Drawn, eachRun, ratioText, SHORT, widest } from "./drawn.js";

/** The talk's table for SAM vit_h on an A100, batches of 32: images a second, by what it calls our rows. */
const TALK: Readonly<Record<string, readonly [name: string, imagesPerSecond: number]>> = {
  "float32, attention as operators": ["compiled", 19.55],
  "float32, attention fused": ["SDPA", 20.24],
  "int8 weight-only": ["int8 weight only quant", 20.26],
  "int8 dynamic": ["int8 dynamic quant", 22.79],
  "2:4": ["2:4 sparsity", 23.03],
};
const TALK_BASE = 20.24;

interface Words {
  readonly title: string;
  readonly about: string;
  /** How speed is said. */
  readonly speed: readonly [head: string, text: (row: Row) => string];
}

const imagesASecond: Words["speed"] = [">images/s", ({ median_ms }) => (1000 / median_ms).toPrecision(3)];

const WORDS: Readonly<Record<"vit" | "sam" | "real", Words>> = {
  vit: {
    title: "ViT-B/16 and ViT-L/16, end to end",
    about: `One image of 224×224, random weights of the right shapes (86.6 and 304 million parameters). Every linear layer is pruned, by magnitude. The
talk's own end-to-end figures are of other models and batches: 1.44 times dense for ViT-L with blocks of zeros, and for SAM those of its
table, shown against its fastest dense row (SDPA).

Linear layers are 95.2 % of ViT-B's multiply-adds and 96.6 % of ViT-L's (12·width² a token and block, where attention has 2·tokens·width), so with the
rest as it is 2:4 could bring 1.91 and 1.93 times at most, 90 % 7.0 and 7.6. int8 weights alone save bytes, not multiply-adds: with 197 tokens each weight
is used 197 times, and bytes do not bind. (onnxruntime-node, which outputs are checked against, rounds activations to int8 for those too, hence that row's
difference; onnxruntime-web does not, and agrees with Nonzero within 2e-6.)`,
    speed: imagesASecond,
  },
  sam: {
    title: "SAM's vit_h image encoder, end to end",
    about: `One image of 1024×1024, 637 million parameters, windows of 14, four blocks of attention over the image, relative positions. The talk's
table is of this model in batches of 32 on an A100; its rows are shown against its fastest dense one (SDPA). Each row here ran by itself, not in
turn: a run takes up to a minute.

Of 2.97·10¹² multiply-adds, 91.6 % are in linear layers (the four blocks over the image spend 172·10⁹ on attention), so 2:4 could bring 1.85 times at most,
90 % 5.7. "Attention as operators" holds 16·4096² scores for the relative positions, 1.07 GB, more than once, which does not fit in WebAssembly's 4 GB beside
2.5 GB of weights. "Attention fused" makes scale·q·k and both relative positions one product of longer vectors, q with its products by
the positions' tables and k with ones where it is: the same function, for 5 % more multiply-adds.`,
    speed: imagesASecond,
  },
  real: {
    title: "Models with real weights",
    about: `Speed of models that are used, pruned in all linear layers (Moonshine) or all convolutions but depthwise ones (PP-OCRv4), by magnitude. What pruning
leaves of what a model knows is another matter: [pruning.md](pruning.md). Moonshine base is published quantized, and is made float32 again here; the
detector's output is taken before its last sigmoid. A decoder's step copies its caches in and out, in every runtime.`,
    speed: [">time", ({ median_ms }) => milliseconds(median_ms)],
  },
};

/** Whole models under several forms. */
export function drawModels(results: Results, kind: "vit" | "sam" | "real"): Drawn {
  const { title, about, speed } = WORDS[kind];
  const withTalk = kind !== "real";
  const table = eachRun(results, (run) => run.cases.map((measured) => tableOf(measured, speed, withTalk)).join("\n\n"));
  const charts = Object.fromEntries(
    widest(results).cases.map((measured, i) => {
      const against = "onnxruntime-web";
      const other = measured.rows.some(({ name }) => name === against) ? against : measured.rows[0]!.name;
      const groups = measured.rows
        .filter(({ name }) => name !== other)
        .map((row) => ({ label: row.name, values: [row.against[other]?.[1] ?? null] }));
      const svg = barChart(`${measured.title}: speed`, `${other} = 1`, [threadsText(widest(results).threads)], groups);
      return [`talk-${kind}-${i + 1}.svg`, svg];
    }),
  );
  const images = Object.keys(charts).map((file) => `![Speed](${file})`);
  return { text: `## ${title}\n\n${about}\n\n${images.join("\n\n")}\n\n${table}`, charts };
}

function tableOf({ title, rows }: Case, [speedHead, speedText]: Words["speed"], withTalk: boolean): string {
  const base = rows[0]!.name;
  const others = [base, ...rows.filter(({ by }) => by !== "nonzero").map(({ name }) => name)];
  const head = [
    title,
    speedHead,
    ...others.map((name) => `>× ${name === base ? "dense" : (SHORT[name] ?? name)}`),
    ">peak memory",
    ">weights",
    ">differs by",
    ...(withTalk ? [">the talk, × SDPA"] : []),
  ];
  const lines = rows.map((row) => {
    const talk = TALK[row.name];
    return [
      row.by === "nonzero" ? `Nonzero, ${row.name}` : row.name,
      speedText(row),
      ...others.map((name) => ratioText(row, name)),
      row.peak_memory_mb === undefined ? "" : `${row.peak_memory_mb} MB`,
      row.bytes === undefined ? "" : bytesText(row.bytes),
      row.difference === undefined ? "" : row.difference.toExponential(0),
      ...(withTalk ? [talk === undefined ? "" : `${(talk[1] / TALK_BASE).toFixed(2)}× (${talk[0]})`] : []),
    ];
  });
  return markdown(head, lines);
}
