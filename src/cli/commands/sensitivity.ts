import { basename } from "node:path";
import { type Command, Option } from "commander";
import { readModelFile } from "../../formats/onnx/node.js";
import { constantNodesToConstants, LAYER_PRUNERS, selectLayers, sensitivity, type Trial } from "../../prune/index.js";
import { parsePattern } from "../../sparsity/index.js";
import { locate, NonzeroError } from "../../tensor/index.js";
import { collect, wholeNumber } from "../arguments.js";
import { calibrationSamples } from "../calibration-data.js";
import { bytes, percent, table } from "../output.js";
import { interruptible, steps } from "../progress.js";
import { SweepFile } from "../sweep.js";

interface Options {
  readonly output: string;
  readonly pattern: readonly string[];
  readonly method: readonly string[];
  readonly layers: string[];
  readonly skip: string[];
  readonly calibrate: string;
  readonly samples?: number;
  readonly threads?: number;
  readonly json?: boolean;
}

export function addSensitivity(program: Command): void {
  program
    .command("sensitivity")
    .description("say what each pattern would do to each layer alone, for `nonzero sparsify --allocate` to choose from")
    .argument("<model>", "an ONNX file")
    .requiredOption(
      "-o, --output <file>",
      "where trials are written as they are made (JSON lines); what is there already is not made again",
    )
    .requiredOption("--calibrate <path>", "samples, as `nonzero sparsify --calibrate` takes them")
    .option("-p, --pattern <patterns...>", "the patterns to try", ["50%", "75%", "90%", "2:4"])
    .addOption(
      new Option("--method <methods...>", "the methods to try")
        .choices([...LAYER_PRUNERS.keys()])
        .default(["sparsegpt"]),
    )
    .option("--layers <glob>", "only weights whose name, or whose node's name, matches (repeatable)", collect, [])
    .option("--skip <glob>", "leave these out (repeatable)", collect, [])
    .option("--samples <count>", "use that many samples at most", wholeNumber(1))
    .option("--threads <n>", "threads that run the samples (default: all processors, at most 8)", wholeNumber(1))
    .option("--json", "print JSON")
    .action((file: string, options: Options) => sweep(file, options));
}

async function sweep(file: string, options: Options): Promise<void> {
  const { output, layers, skip, threads, json } = options;
  const patterns = options.pattern.map((text) => locate({ field: "--pattern" }, () => parsePattern(text)));
  const methods = options.method.map((name) => LAYER_PRUNERS.get(name)!);
  const signal = interruptible();
  const work: { trials?: readonly Trial[] } = {};
  await steps(
    work,
    [
      {
        title: `Try ${patterns.map(({ text }) => text).join(", ")} on each layer of ${file}`,
        task: async (context, task) => {
          const { title } = task;
          const model = constantNodesToConstants(readModelFile(file));
          const inputs = model.graph.inputs.filter((input) => !model.graph.constants.has(input));
          const samples = calibrationSamples(options.calibrate, inputs, options.samples);
          const selection = { ...(layers.length > 0 ? { layers } : {}), ...(skip.length > 0 ? { skip } : {}) };
          const chosen = selectLayers(model, selection);
          if (chosen.length === 0) throw new NonzeroError("not-found", "the model has no weights to prune", { file });
          const kept = new SweepFile(output, { model: basename(file), samples: samples.length });
          const made = new Set(kept.trials.map(({ weight, pattern, method }) => `${weight} ${pattern} ${method}`));
          const names = new Set(chosen.map(({ name }) => name));
          const asked = (trial: Trial): boolean =>
            names.has(trial.weight) &&
            patterns.some(({ text }) => text === trial.pattern) &&
            methods.some(({ name }) => name === trial.method);
          const known = kept.trials.filter(asked).length;
          const of = chosen.length * patterns.length * methods.length;
          const start = performance.now();
          let now = 0;
          const onSample = (done: number, total: number): void => {
            task.title = `${title}: calibrating, ${done} of ${total} runs`;
          };
          for await (const trial of sensitivity(model, {
            ...selection,
            ...{ patterns, methods, signal },
            calibration: { samples, onSample, ...(threads === undefined ? {} : { threads }) },
            known: ({ name }, pattern, method) => made.has(`${name} ${pattern.text} ${method.name}`),
          })) {
            kept.add(trial);
            now++;
            const left = ((performance.now() - start) / now) * (of - known - now);
            task.title = `${title}: ${known + now} of ${of}, about ${Math.ceil(left / 1000)} s left`;
          }
          context.trials = kept.trials.filter(asked);
        },
      },
    ],
    json === true,
  );
  const trials = work.trials!;
  if (json) console.log(JSON.stringify({ model: file, output, trials }, null, 2));
  else console.log(trialsTable(trials));
}

/** A line a layer and method, a column a pattern. */
function trialsTable(trials: readonly Trial[]): string {
  const patterns = [...new Set(trials.map(({ pattern }) => pattern))];
  const rows = new Map<string, Trial[]>();
  for (const trial of trials) {
    const key = `${trial.weight} ${trial.method}`;
    rows.set(key, [...(rows.get(key) ?? []), trial]);
  }
  return table(
    [
      ...["layer", "method", "shape"].map((title) => ({ title })),
      { title: "dense", align: "right" },
      ...patterns.map((title) => ({ title, align: "right" }) as const),
    ],
    [...rows.values()].map((own) => {
      const { nodes, weight, method, rows, cols, denseBytes } = own[0]!;
      const errors = patterns.map((pattern) => own.find((trial) => trial.pattern === pattern)?.error);
      const shown = errors.map((error) => (error === undefined ? "" : percent(error, 2)));
      return [nodes[0] ?? weight, method, `${rows}×${cols}`, bytes(denseBytes), ...shown];
    }),
  );
}
