import { type Command, InvalidArgumentError } from "commander";
import { readModelFile } from "../../formats/onnx/node.js";
import { Runner, type TuneReport, type TuneResult } from "../../runtime/index.js";
import { locateAsync } from "../../tensor/index.js";
import { wholeNumber } from "../arguments.js";
import { type DeviceChoice, deviceFor, deviceOption, deviceText } from "../device.js";
import { EXIT } from "../exit.js";
import { feedsFor } from "../inputs.js";
import { milliseconds, table } from "../output.js";
import { interruptible } from "../progress.js";
import { withInputs } from "./run.js";

interface Options {
  readonly input: string[];
  readonly dim: string[];
  readonly device: DeviceChoice;
  readonly threads?: number;
  readonly budget: number;
  readonly again?: boolean;
  readonly json?: boolean;
}

const NOTE = `
Each kernel is run by itself, with its weights, in turn with its default. Another schedule or layout is taken only if it is faster beyond noise:
if the lower bound of the ratio, with 97.5 % confidence, is at least 1.02. What is found is kept for this machine, device and number of threads, and used by all
sessions from then on (docs/tuning.md). Ctrl-C stops; what was measured until then is kept.`;

export function addTune(program: Command): void {
  withInputs(
    program
      .command("tune")
      .description("find the fastest schedules of a model's kernels on this machine, and keep them")
      .argument("<model>", "an ONNX file"),
  )
    .addOption(deviceOption())
    .option("--threads <n>", "threads of wasm (default: all processors, at most 8)", wholeNumber(1))
    .option("--budget <time>", "how long to measure at most: 30s, 2m", seconds, 30)
    .option("--again", "measure what is known from before, too")
    .option("--json", "print JSON")
    .addHelpText("after", NOTE)
    .action((file: string, options: Options) => tune(file, options));
}

/** A time as seconds: `30s`, `2m`, `500ms`, `30`. */
export function seconds(text: string): number {
  const [, number, unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  const value = Number(number) * { ms: 1e-3, s: 1, m: 60, h: 3600 }[unit as "s"]!;
  if (!(value > 0 && value <= 86400)) throw new InvalidArgumentError("expected a time, such as 30s or 2m.");
  return value;
}

async function tune(file: string, { input, dim, threads, budget, again, json, ...options }: Options): Promise<void> {
  const device = await deviceFor(options.device);
  const signal = interruptible();
  await locateAsync({ file }, async () => {
    const fixed = threads === undefined ? {} : { threads };
    const runner = await Runner.create(readModelFile(file), { device, ...fixed });
    try {
      const say = teller(json === true);
      const report = await runner.tune(feedsFor(runner.inputs, { input, dim }), {
        ...{ budget, signal, again: again === true },
        onProgress: ({ done, total, subject, node, secondsLeft }) =>
          say(`${done} of ${total}: ${subject}, ${node} (${Math.ceil(secondsLeft)} s left at most)`),
        onWarning: (warning) => console.error(`nonzero: ${warning.message}`),
      });
      say(null);
      if (json)
        console.log(JSON.stringify({ model: file, device, threads: runner.threads, budget, ...report }, null, 2));
      else print(report, deviceText(device, runner.threads));
      if (report.stopped) process.exitCode = EXIT.aborted;
    } finally {
      runner.release();
    }
  });
}

/** Writes progress on stderr: in one line on a terminal, else a line each time that it changes. */
function teller(quiet: boolean): (line: string | null) => void {
  const live = process.stderr.isTTY;
  return (line) => {
    if (quiet) return;
    if (live) process.stderr.write(`\r\x1b[K${line ?? ""}`);
    else if (line !== null) console.error(line);
  };
}

const ratio = (value: number): string => value.toFixed(2);

function print({ results, known, left, stopped }: TuneReport, where: string): void {
  if (results.length > 0) {
    console.log(
      table(
        [
          { title: "kernel" },
          { title: "nodes", align: "right" },
          { title: "the first" },
          { title: "default", align: "right" },
          { title: "best other", align: "right" },
          { title: "ratio", align: "right" },
          { title: "bounds", align: "right" },
          { title: "taken" },
        ],
        results.map((result) => [
          result.subject,
          String(result.nodes.length),
          result.nodes[0]!,
          milliseconds(result.defaultMs),
          milliseconds(result.rivalMs),
          ratio(result.ratio),
          `${ratio(result.low)} to ${ratio(result.high)}`,
          result.winner === 0 ? "default" : scheduleText(result.choice),
        ]),
      ),
    );
    console.log("");
  }
  const notes = [
    known > 0 ? `${known} known from before (--again measures them too)` : "",
    left.length > 0 ? `${left.length} nodes keep their defaults: no time to be sure, or nothing to measure alone` : "",
    stopped ? "stopped" : "",
  ].filter((note) => note);
  console.log([`on ${where}: ${summary(results)}`, ...notes].join("; "));
}

/** What all nodes together gain. */
function summary(results: readonly TuneResult[]): string {
  if (results.length === 0) return "nothing was measured";
  const sum = (of: (result: TuneResult) => number): number =>
    results.reduce((total, result) => total + of(result) * result.nodes.length, 0);
  const [before, after] = [sum(({ defaultMs }) => defaultMs), sum((r) => (r.winner === 0 ? r.defaultMs : r.rivalMs))];
  const changed = results.filter(({ winner }) => winner !== 0).length;
  return `${changed} of ${results.length} kernels gain; together ${milliseconds(before)} → ${milliseconds(after)} (${ratio(before / after)}×)`;
}

/** A schedule for people: `width 12, slab 128`. */
function scheduleText(choice: string): string {
  const schedule = JSON.parse(choice) as unknown;
  if (typeof schedule !== "object" || schedule === null) return String(schedule);
  return Object.entries(schedule)
    .map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`)
    .join(", ");
}
