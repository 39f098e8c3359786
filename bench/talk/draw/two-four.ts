import { median } from "../../../src/cli/bench/statistics.js";
import { milliseconds } from "../../../src/cli/output.js";
import { barChart } from "../../chart.js";
import { markdown, threadsText } from "../../markdown.js";
import { DENSE } from "../products.js";
import type { Results, Run } from "../results.js";
import { type Drawn, eachRun, peerHeads, peersIn, percentText, ratioText, rowOf, spread, widest } from "./drawn.js";

const TWO_FOUR = "2:4";
/** The talk's. */
const MEAN = 1.6;
const MOST = 2;

const ratiosOf = ({ cases }: Run, decoding: boolean): number[] =>
  cases
    .filter(({ shape }) => (shape!.n === 1) === decoding)
    .map((measured) => rowOf(measured, TWO_FOUR)!.against[DENSE]![1]);

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** 2:4 over the linear layers of several models. */
export function drawTwoFour(results: Results): Drawn {
  const run = widest(results);
  const table = eachRun(results, (one) => {
    const peers = peersIn(one);
    const head = [
      "layer",
      "outputs × inputs",
      ">tokens",
      ">dense",
      ">2:4",
      ">× dense (quartiles)",
      ">of peak",
      ...peerHeads(peers),
    ];
    const lines = one.cases.map((measured) => {
      const { m, k, n } = measured.shape!;
      const [dense, sparse] = [rowOf(measured, DENSE)!, rowOf(measured, TWO_FOUR)!];
      const each = (ms: number): string => milliseconds(ms / (measured.layers ?? 1));
      return [
        measured.title,
        `${m}×${k}`,
        `${n}`,
        each(dense.median_ms),
        each(sparse.median_ms),
        `**${spread(sparse.against[DENSE]!)}**${sparse.above_ideal ? " above 2" : ""}`,
        percentText(sparse.share_of_peak!),
        ...peers.map((peer) => ratioText(sparse, peer)),
      ];
    });
    return markdown(head, lines);
  });
  const many = ratiosOf(run, false);
  const decoding = ratiosOf(run, true);
  const summary = (name: string, ratios: readonly number[]): string =>
    ratios.length === 0
      ? ""
      : `${name}: ${mean(ratios).toFixed(2)} times dense on average, median ${median(ratios).toFixed(2)}, ${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}.`;
  const chart = barChart(
    "2:4 in the linear layers of models: speed against own dense",
    "dense = 1",
    [`2:4, ${threadsText(run.threads)}`],
    run.cases.map((measured) => ({
      label: measured.title.replace("SAM vit_h, windows", "SAM windows").replace("SAM vit_h", "SAM"),
      values: [rowOf(measured, TWO_FOUR)!.against[DENSE]![1]],
    })),
    [
      { value: MEAN, label: "the talk's mean, 1.6" },
      { value: MOST, label: "at most 2" },
    ],
  );
  const text = `## 2:4

The talk: 2:4 is 1.6 times as fast as dense on average, by the matrix's shape, and 2 times at most. Here, on as many tokens as each model has
(an image, 384 words, a prompt of 128, a step of decoding): ${[summary("many tokens", many), summary("one token", decoding)].filter(Boolean).join(" ")}

![2:4 against dense](talk-two-four.svg)

${table}`;
  return { text, charts: { "talk-two-four.svg": chart } };
}
