import { fileURLToPath } from "node:url";
import { quartiles } from "../src/cli/bench/result.js";
import { milliseconds } from "../src/cli/output.js";
import { replaceFile } from "../src/cli/write-file.js";
import { barChart, type Group } from "./chart.js";
import { drawInto, markdown, threadsText, times } from "./markdown.js";
import { overheadSection } from "./overhead-table.js";
import { GOALS, missedGoals, type Run, readResults, titleOf } from "./results.js";
import { drawTalk } from "./talk/draw.js";

/** Draws bench/results/*.json: the tables of docs/benchmarks.md and docs/talk.md, between their markers, and the charts beside them. */
const PAGE = new URL("../docs/benchmarks.md", import.meta.url);

function runTable(run: Run): string {
  const head = ["threads", "", "layout", ">median", ">quartiles", ">× dense", ">× ort-web", ">× ort-node"];
  const { results, rivals } = run.report;
  const rates = run.kind === "matmul";
  const rows = results.map((r) => {
    const goal = GOALS[run.kind][r.pattern];
    const marked = (field: "dense_ratio" | "ort_web_ratio"): string =>
      goal?.[field] === undefined ? times(r[field]) : `**${times(r[field])}** (goal ${goal[field]})`;
    return [
      `${r.threads}`,
      r.pattern,
      r.layout,
      milliseconds(r.median_ms),
      quartiles(r.samples_ms),
      marked("dense_ratio"),
      marked("ort_web_ratio"),
      times(r.ort_node_ratio),
      ...(rates ? [r.kept_gflops!.toFixed(1), `${(100 * r.share_of_peak!).toFixed(0)} %`] : []),
    ];
  });
  const pruned = new Set(results.map((r) => ("model" in r && r.pattern !== "dense" ? r.model : "")));
  const others = rivals.map((r) => {
    const model = "model" in r && pruned.has(r.model as string) ? ", pruned" : "";
    return [`${r.threads}`, `${r.name}${model}`, "dense", milliseconds(r.median_ms), quartiles(r.samples_ms)];
  });
  const all = [...head, ...(rates ? [">kept GFLOP/s", ">of peak"] : [])];
  const filled = others.map((cells) => [...cells, ...Array.from({ length: all.length - cells.length }, () => "")]);
  return markdown(all, [...rows, ...filled]);
}

/** Runs of one thing, by the thing's title. */
function grouped(runs: readonly Run[]): Map<string, Run[]> {
  const groups = new Map<string, Run[]>();
  for (const run of runs) groups.set(titleOf(run), [...(groups.get(titleOf(run)) ?? []), run]);
  return groups;
}

/** Speed against onnxruntime-web, of each pattern and of onnxruntime-node, a bar for each thread count. */
function chartOf(title: string, runs: readonly Run[]): string {
  const groups: Group[] = runs[0]!.report.results.map(({ pattern }, row) => ({
    label: pattern === "dense" ? "Nonzero, dense" : pattern,
    values: runs.map((run) => run.report.results[row]!.ort_web_ratio),
  }));
  const node = runs.map(({ report: { results } }) => {
    const [{ ort_web_ratio: web, ort_node_ratio: native }] = results as [(typeof results)[number]];
    return web === null || native === null ? null : web / native;
  });
  const one = "onnxruntime-web = 1";
  const series = runs.map(({ report }) => threadsText(report.results[0]!.threads));
  return barChart(`${title}: speed`, one, series, [...groups, { label: "onnxruntime-node", values: node }]);
}

const { date, runs } = readResults();
const [first] = runs as [Run];
const { machine, versions } = first.report;
const loads = runs.map(({ report }) => report.machine.load_average);
const sections = [...grouped(runs)].map(([title, same], i) => {
  const file = `benchmarks-${i + 1}.svg`;
  replaceFile(fileURLToPath(new URL(file, PAGE)), chartOf(title, same));
  const peaks = same.flatMap(({ report }) =>
    report.machine.peak_gflops === null
      ? []
      : [`${report.machine.peak_gflops.toFixed(0)} GFLOP/s on ${threadsText(report.results[0]!.threads)}`],
  );
  const about =
    same[0]!.kind === "matmul"
      ? `W is the first, sparse; x the second. Peak: ${peaks.join(", ")}.`
      : `A sentence of ${same[0]!.seconds.toFixed(1)} s, from samples to hidden states; 2:4 in every linear layer.`;
  return `## ${title}\n\n${about}\n\n![Speed against onnxruntime-web](${file})\n\n${same.map(runTable).join("\n\n")}`;
});
const missed = runs.flatMap(missedGoals).map((line) => `- ${line}`);
const drawn = `Measured on ${date}: ${machine.cpu}, ${machine.processors} processors, ${machine.memory_gb} GB, ${machine.os}; ${Object.entries(
  versions,
)
  .map(([name, version]) => `${name} ${version}`)
  .join(", ")}; fused multiply-add ${machine.relaxed_simd ? "on" : "off"}.
Load average while measuring: ${Math.min(...loads)} to ${Math.max(...loads)} (what we run ourselves makes 1 to 2).

${missed.length === 0 ? "All goals are met." : `Goals missed:\n\n${missed.join("\n")}`}

${[...sections, overheadSection()].join("\n\n")}`;

drawInto(PAGE, drawn);
drawTalk();
