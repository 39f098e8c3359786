import { threadsText } from "../../markdown.js";
import { PEERS } from "../peers/peer.js";
import type { Case, Ratio, Results, Row, Run } from "../results.js";

/** A section of docs/talk.md, and its charts by their file names. */
export interface Drawn {
  readonly text: string;
  readonly charts: Readonly<Record<string, string>>;
}

/** The run on the most threads: charts are of that. */
export const widest = ({ runs }: Results): Run => runs.at(-1)!;

/** A table for each number of threads, where there are several with a line between them. */
export const eachRun = ({ runs }: Results, draw: (run: Run) => string): string =>
  runs.map((run) => (runs.length > 1 ? `On ${threadsText(run.threads)}:\n\n${draw(run)}` : draw(run))).join("\n\n");

export const rowOf = (measured: Case, name: string): Row | undefined => measured.rows.find((row) => row.name === name);

/** A ratio's median, marked where it is more than the work left out allows. */
export function ratioText(row: Row | undefined, other: string): string {
  const ratio = row?.against[other];
  if (ratio === undefined) return "–";
  const above = row!.above_ideal && other === "dense" ? ` (above the ideal of ${row!.ideal!.toFixed(1)})` : "";
  return `${ratio[1].toFixed(2)}×${above}`;
}

/** Median with quartiles. */
export const spread = ([low, middle, high]: Ratio): string =>
  `${middle.toFixed(2)}× (${low.toFixed(2)} to ${high.toFixed(2)})`;

/** Peers that took part in a run, in the order of tables. */
export const peersIn = ({ cases }: Run): string[] =>
  PEERS.filter((peer) => cases.some(({ rows }) => rows.some(({ name }) => name === peer)));

/** Short names for heads of columns. */
export const SHORT: Readonly<Record<string, string>> = {
  "onnxruntime-web": "ort-web",
  "onnxruntime-node": "ort-node",
  "onnxruntime-web, int8 dynamic": "ort-web, int8",
  "onnxruntime-node, int8 dynamic": "ort-node, int8",
};

export const peerHeads = (peers: readonly string[]): string[] => peers.map((peer) => `>× ${SHORT[peer] ?? peer}`);

export const percentText = (share: number): string => `${Number((100 * share).toFixed(1))} %`;

/** What could not run, once each. */
export function missingIn({ runs }: Results): string {
  const reasons = new Set(runs.flatMap(({ cases }) => cases.flatMap(({ missing }) => missing)));
  return reasons.size === 0 ? "" : `Did not run:\n\n${[...reasons].map((reason) => `- ${reason}`).join("\n")}`;
}

export function whereMeasured({ runs }: Results): string {
  const lines = runs.map(({ date, threads, machine, peak_gflops, versions, complete, seconds }) => {
    const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
    const stopped = complete ? "" : "; stopped before its end";
    return `Measured on ${date}, ${threadsText(threads)}: ${machine.cpu}, ${machine.processors} processors, ${machine.os}; ${named.join(", ")}; peak ${peak_gflops.toFixed(0)} GFLOP/s, load average ${machine.load_average}, ${seconds} s a contestant${stopped}.`;
  });
  return `<sub>${lines.join("<br>")}</sub>`;
}
