import { basename } from "node:path";
import { type Command, Option } from "commander";
import { VALUE_DATA_TYPES, type ValueDataType } from "../../layouts/index.js";
import { positiveSeconds, wholeNumber } from "../arguments.js";
import { Disagreement, type Timing } from "../bench/lineup.js";
import { benchMatmul } from "../bench/matmul.js";
import { benchModels } from "../bench/models.js";
import { type Report, type Result, reportTable } from "../bench/result.js";
import { type DeviceChoice, devicesFor, devicesOption } from "../device.js";
import { EXIT } from "../exit.js";
import { interruptible } from "../progress.js";
import { addRoofline } from "./roofline.js";
import { withInputs } from "./run.js";

interface CommonOptions {
  readonly device: DeviceChoice[];
  readonly threads?: number;
  readonly repeat?: number;
  readonly seconds: number;
  readonly json?: boolean;
}

interface ModelOptions extends CommonOptions {
  readonly input: string[];
  readonly dim: string[];
}

interface MatmulOptions extends CommonOptions {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly pattern: string[];
  readonly dtype: ValueDataType;
}

const NOTE = `
All contestants take turns in one process, after each has been warmed up; whole runs are timed, copies of inputs and outputs included. A ratio
is the median over the rounds of the other's time over ours: above 1, Nonzero is faster. Results are compared before anything is timed (exit
code 1 where they disagree). Ctrl-C stops and prints what there is.`;

/** Adds `bench MODEL…` and `bench matmul`. */
export function addBench(program: Command): void {
  program.enablePositionalOptions(); // so that what follows `bench matmul` is matmul's, not bench's
  const bench = withTiming(
    withInputs(
      program
        .command("bench")
        .description("time models, or one sparse product (bench matmul), against dense Nonzero and onnxruntime")
        .enablePositionalOptions()
        .argument("<models...>", "ONNX files"),
    ),
  ).addHelpText("after", NOTE);
  bench.action((files: string[], options: ModelOptions) =>
    printed<ModelOptions, Result & { model: string }>(
      options,
      { model: (r) => basename(r.model), pattern: (r) => r.pattern },
      async (timing) => {
        const devices = await devicesFor(options.device);
        const { input, dim } = options;
        return benchModels({ files, devices, input, dim, ...threadsOf(options) }, timing);
      },
    ),
  );

  addRoofline(bench);
  withTiming(
    bench
      .command("matmul")
      .description("time W [M, K] · x [K, N] with W dense and under each pattern")
      .requiredOption("--m <rows>", "rows of W", wholeNumber(1))
      .requiredOption("--k <columns>", "columns of W, rows of x", wholeNumber(1))
      .requiredOption("--n <columns>", "columns of x", wholeNumber(1))
      .requiredOption("--pattern <patterns...>", "patterns such as 2:4, 50%, block:16x16@90%")
      .addOption(
        new Option("--dtype <dtype>", "how kept values are stored").choices([...VALUE_DATA_TYPES]).default("float32"),
      ),
  )
    .addHelpText("after", NOTE)
    .action(({ device, m, k, n, pattern, dtype, ...options }: MatmulOptions) =>
      printed<CommonOptions, Result>(
        { device, ...options },
        { pattern: (r) => r.pattern, layout: (r) => r.layout },
        async (timing) => {
          const devices = await devicesFor(device);
          return benchMatmul({ m, k, n, patterns: pattern, devices, dtype, ...threadsOf(options) }, timing);
        },
      ),
    );
}

function withTiming(command: Command): Command {
  return command
    .addOption(devicesOption())
    .option("--threads <n>", "threads of wasm and of onnxruntime (default: all processors, at most 8)", wholeNumber(1))
    .option("--repeat <rounds>", "rounds to time (default: as many as --seconds holds)", wholeNumber(1))
    .option("--seconds <s>", "seconds to spend on each contestant", positiveSeconds, 3)
    .option("--json", "print JSON");
}

const threadsOf = ({ threads }: Pick<CommonOptions, "threads">): { threads?: number } =>
  threads === undefined ? {} : { threads };

/** Times, prints and sets the exit code. */
async function printed<O extends Omit<CommonOptions, "threads">, R extends Result>(
  { repeat, seconds, json }: O,
  labels: Readonly<Record<string, (result: R) => string>>,
  time: (timing: Timing) => Promise<Report<R>>,
): Promise<void> {
  const signal = interruptible();
  const timing: Timing = {
    seconds,
    signal,
    say: (line) => console.error(line),
    ...(repeat === undefined ? {} : { rounds: repeat }),
  };
  try {
    const report = await time(timing);
    console.log(json ? JSON.stringify(report) : reportTable(report, labels));
    if (signal.aborted) process.exitCode = EXIT.aborted;
  } catch (error) {
    if (!(error instanceof Disagreement)) throw error;
    if (json) console.log(JSON.stringify({ error: { code: "disagreement", reason: error.message } }));
    console.error(`nonzero: results disagree, nothing was timed: ${error.message}`);
    process.exitCode = EXIT.failed;
  }
}
