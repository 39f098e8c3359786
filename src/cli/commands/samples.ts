import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import { NonzeroError } from "../../tensor/index.js";
import { wholeNumber } from "../arguments.js";
import { TASKS } from "../eval/index.js";
import { writeNpy } from "../npy.js";
import { interruptible, steps } from "../progress.js";
import { taskNamed } from "./eval.js";

interface Options {
  readonly output: string;
  readonly count: number;
  readonly seed: number;
  readonly threads?: number;
  readonly json?: boolean;
}

export function addSamples(program: Command): void {
  program
    .command("samples")
    .description("write a task's calibration samples, none of them in its test set, for `nonzero sparsify --calibrate`")
    .argument("<task>", [...TASKS.keys()].join(", "))
    .argument(
      "<model>",
      "what the task takes; where a later part sees what an earlier one makes, it is made by this model",
    )
    .requiredOption(
      "-o, --output <folder>",
      "a new folder: a folder for each of the model's files, with one for each sample",
    )
    .option("--count <n>", "samples at most", wholeNumber(1), 32)
    .option("--seed <n>", "which, and in what order", wholeNumber(0), 0)
    .option("--threads <n>", "threads (default: all processors, at most 8)", wholeNumber(1))
    .option("--json", "print JSON")
    .action((task: string, model: string, options: Options) => writeSamples(task, model, options));
}

async function writeSamples(name: string, model: string, options: Options): Promise<void> {
  const task = taskNamed(name);
  const { output, count, seed, threads, json } = options;
  if (existsSync(output))
    throw new NonzeroError("invalid-argument", "it is there already", { file: output, field: "--output" });
  const signal = interruptible();
  const written: Record<string, number> = {};
  await steps(
    {},
    [
      {
        title: `Samples of ${task.name}`,
        task: async (_, shown) => {
          const { title } = shown;
          const say = (line: string): void => {
            shown.title = `${title}: ${line}`;
          };
          mkdirSync(dirname(resolve(output)), { recursive: true });
          const work = mkdtempSync(`${output}.part-`);
          try {
            const shared = { count, seed, signal, say, ...(threads === undefined ? {} : { threads }) };
            for (const set of await task.samples(model, shared)) {
              const folder = set.model.replace(/\.onnx$/, "");
              let i = 0;
              for await (const feeds of set.samples) {
                if (signal.aborted) throw new NonzeroError("aborted", "stopped; nothing was written");
                const place = join(work, folder, String(i++).padStart(4, "0"));
                mkdirSync(place, { recursive: true });
                for (const [input, tensor] of Object.entries(feeds)) writeNpy(join(place, `${input}.npy`), tensor);
                say(`${folder}, ${i}`);
              }
              written[folder] = i;
            }
            renameSync(work, output);
          } finally {
            rmSync(work, { recursive: true, force: true });
          }
        },
      },
    ],
    json === true,
  );
  if (json) console.log(JSON.stringify({ task: task.name, model, output, samples: written }, null, 2));
  else
    for (const [folder, samples] of Object.entries(written)) console.log(`${join(output, folder)}: ${samples} samples`);
}
