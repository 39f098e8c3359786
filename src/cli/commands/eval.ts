import type { Command } from "commander";
import { readModelFile } from "../../formats/onnx/node.js";
import { Runner } from "../../runtime/index.js";
import { isFloat, NonzeroError } from "../../tensor/index.js";
import { wholeNumber } from "../arguments.js";
import { calibrationSamples } from "../calibration-data.js";
import { type Fidelity, FidelityMeter } from "../eval/fidelity.js";
import { type Score, TASKS, type Task } from "../eval/index.js";
import { percent, table } from "../output.js";
import { interruptible, steps } from "../progress.js";

interface Options {
  readonly threads?: number;
  readonly limit?: number;
  readonly reference?: string;
  readonly samples?: string;
  readonly json?: boolean;
}

const FIDELITY = "fidelity";

export function addEval(program: Command): void {
  const listed = [...TASKS.values()].map(({ name, summary, model }) => `  ${name}  ${summary}; MODEL is ${model}`);
  program
    .command("eval")
    .description("say how good a model is at a task with labels, or how close to the dense one")
    .argument("<task>", `${[...TASKS.keys()].join(", ")} or ${FIDELITY}`)
    .argument("<model>", "what the task takes: see below")
    .option("--threads <n>", "threads (default: all processors, at most 8)", wholeNumber(1))
    .option("--limit <n>", "take the first items of the test set only", wholeNumber(1))
    .option("--reference <model>", `for ${FIDELITY}: the dense ONNX file`)
    .option("--samples <path>", `for ${FIDELITY}: inputs, as \`nonzero sparsify --calibrate\` takes them`)
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `\nTasks:\n${listed.join("\n")}\n  ${FIDELITY}  an ONNX file against the one of --reference, without labels: relative error, cosine, KL, same largest entry\n
Data is downloaded when first asked for, checked by its sha256, and kept in $NONZERO_CACHE (default ~/.cache/nonzero).`,
    )
    .action((task: string, model: string, options: Options) => evaluate(task, model, options));
}

export function taskNamed(name: string): Task {
  const task = TASKS.get(name);
  if (task !== undefined) return task;
  throw new NonzeroError("invalid-argument", `no task '${name}'; there are ${[...TASKS.keys()].join(", ")}`, {
    field: "task",
  });
}

async function evaluate(name: string, model: string, options: Options): Promise<void> {
  if (name === FIDELITY) return fidelity(model, options);
  const task = taskNamed(name);
  const work: { score?: Score } = {};
  await steps(
    work,
    [
      {
        title: `${task.name}: ${task.summary}`,
        task: async (context, shown) => {
          const { title } = shown;
          context.score = await task.score(model, {
            ...(options.threads === undefined ? {} : { threads: options.threads }),
            ...(options.limit === undefined ? {} : { limit: options.limit }),
            signal: interruptible(),
            say: (line) => {
              shown.title = `${title}: ${line}`;
            },
          });
        },
      },
    ],
    options.json === true,
  );
  const { metric } = task;
  const score = work.score!;
  if (options.json) console.log(JSON.stringify({ task: task.name, model, metric, ...score }, null, 2));
  else
    console.log(
      `${model}: ${metric.name} ${score.value.toFixed(2)} ${metric.unit} (${score.detail}, ${score.items} items)`,
    );
}

async function fidelity(file: string, { reference, samples, threads, limit, json }: Options): Promise<void> {
  if (reference === undefined || samples === undefined)
    throw new NonzeroError("invalid-argument", `${FIDELITY} needs --reference DENSE.onnx and --samples PATH`);
  const signal = interruptible();
  const work: { outputs?: Fidelity[] } = {};
  await steps(
    work,
    [
      {
        title: `Run ${file} and ${reference}`,
        task: async (context, shown) => {
          const { title } = shown;
          const option = threads === undefined ? {} : { threads };
          const [dense, pruned] = [reference, file].map((path) => new Runner(readModelFile(path), option)) as [
            Runner,
            Runner,
          ];
          const meters = new Map<string, FidelityMeter>();
          const all = calibrationSamples(samples, dense.inputs, limit);
          for (const [i, feeds] of all.entries()) {
            await new Promise((resolve) => setTimeout(resolve));
            if (signal.aborted) throw new NonzeroError("aborted", "the evaluation was stopped");
            const [expected, found] = [dense.run(feeds), pruned.run(feeds)];
            for (const [name, tensor] of Object.entries(expected)) {
              if (!isFloat(tensor.dtype)) continue;
              const other = found[name];
              if (other === undefined) throw new NonzeroError("not-found", `there is no output '${name}'`, { file });
              const meter = meters.get(name) ?? new FidelityMeter(name);
              meters.set(name, meter);
              meter.add(tensor, other);
            }
            shown.title = `${title}: ${i + 1} of ${all.length} samples`;
          }
          dense.release();
          pruned.release();
          context.outputs = [...meters.values()].map((meter) => meter.result());
        },
      },
    ],
    json === true,
  );
  const outputs = work.outputs!;
  if (json) {
    console.log(JSON.stringify({ task: FIDELITY, model: file, reference, outputs }, null, 2));
    return;
  }
  console.log(
    table(
      [
        { title: "output" },
        { title: "rows", align: "right" },
        { title: "relative error", align: "right" },
        { title: "cosine", align: "right" },
        { title: "KL, nats a row", align: "right" },
        { title: "same largest", align: "right" },
      ],
      outputs.map((o) => [
        o.name,
        String(o.rows),
        percent(o.relativeError, 2),
        o.cosine.toFixed(6),
        o.kl.toExponential(2),
        percent(o.top1, 2),
      ]),
    ),
  );
}
