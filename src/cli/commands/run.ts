import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import type { Results } from "../../compiler/index.js";
import { readModelFile } from "../../formats/onnx/node.js";
import { Runner } from "../../runtime/index.js";
import { locate, locateAsync, NonzeroError, type Tensor } from "../../tensor/index.js";
import { collect, wholeNumber } from "../arguments.js";
import { type DeviceChoice, deviceFor, deviceOption } from "../device.js";
import { feedsFor } from "../inputs.js";
import { forNumpy, npyBytes } from "../npy.js";
import { milliseconds, table } from "../output.js";
import { replaceFile } from "../write-file.js";

interface Options {
  readonly input: string[];
  readonly dim: string[];
  readonly device: DeviceChoice;
  readonly threads?: number;
  readonly output?: string;
  readonly plan?: boolean;
  readonly json?: boolean;
}

/** The options that say what a model is run on; `run`, `compare` and `bench` share them. */
export function withInputs(command: Command): Command {
  return command
    .option(
      "--input <name=source>",
      "NAME=FILE.npy or NAME=random:SEED; random:SEED for all the rest (repeatable)",
      collect,
      [],
    )
    .option(
      "--dim <name=size>",
      "size of a named dimension of random inputs (repeatable; 1 where not given)",
      collect,
      [],
    );
}

export function addRun(program: Command): void {
  withInputs(
    program.command("run").description("run a model once and print what comes out").argument("<model>", "an ONNX file"),
  )
    .addOption(deviceOption())
    .option("--threads <n>", "threads of wasm (default: all processors, at most 8)", wholeNumber(1))
    .option("--output <directory>", "write each output there as NAME.npy")
    .option("--plan", "print which kernel runs each step")
    .option("--json", "print JSON")
    .action((file: string, options: Options) => run(file, options));
}

async function run(file: string, options: Options): Promise<void> {
  const device = await deviceFor(options.device);
  await locateAsync({ file }, async () => {
    const threads = options.threads ? { threads: options.threads } : {};
    const runner = await Runner.create(readModelFile(file), { device, ...threads });
    try {
      await runModel(file, runner, options);
    } finally {
      runner.release();
    }
  });
}

async function runModel(file: string, runner: Runner<Results>, options: Options): Promise<void> {
  const feeds = feedsFor(runner.inputs, options);
  if (options.output !== undefined) makeFolder(options.output);
  const start = performance.now();
  const outputs = await runner.run(feeds);
  const elapsed = performance.now() - start;
  const plan = options.plan ? runner.describe(feeds) : [];
  const files = options.output === undefined ? null : writeOutputs(options.output, outputs);
  const results = Object.entries(outputs).map(([name, tensor]) => ({
    name,
    ...summary(tensor),
    ...(files === null ? {} : { file: files.get(name)! }),
  }));
  if (options.json) {
    console.log(
      JSON.stringify(
        {
          model: file,
          device: runner.device,
          threads: runner.threads,
          milliseconds: elapsed,
          outputs: results,
          ...(options.plan ? { plan } : {}),
        },
        null,
        2,
      ),
    );
  } else {
    if (options.plan)
      console.log(
        `${table(
          [{ title: "operator" }, { title: "node" }, { title: "kernel" }],
          plan.map((s) => [s.op, s.name, s.kernel]),
        )}\n`,
      );
    const columns = [
      { title: "output" },
      { title: "dtype" },
      { title: "shape" },
      { title: "min" },
      { title: "max" },
      { title: "mean" },
      { title: "first" },
    ];
    console.log(
      table(
        columns,
        results.map((r) => [
          r.name,
          r.dtype,
          r.shape.join("×"),
          ...[r.min, r.max, r.mean].map((x) => (x === null ? "-" : short(x))),
          r.first.map((x) => (typeof x === "number" ? short(x) : x)).join(" "),
        ]),
      ),
    );
    const { device, threads } = runner;
    const where = device === "webgpu" ? device : `${device}, ${threads} thread${threads === 1 ? "" : "s"}`;
    console.log(`\nfirst run on ${where}, kernels generated in it: ${milliseconds(elapsed)}`);
  }
}

const short = (x: number): string => String(Number(x.toPrecision(5)));

/** What a result looks like; min, max and mean are null where there are no numbers. */
function summary(tensor: Tensor) {
  const { dtype, shape } = tensor;
  if (dtype === "string")
    return { dtype, shape, min: null, max: null, mean: null, first: tensor.strings().slice(0, 4) };
  const values = tensor.numbers();
  let [min, max, sum] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  for (const value of values) {
    if (value < min) min = value;
    if (value > max) max = value;
    sum += value;
  }
  const first = Array.from(values.slice(0, 4));
  if (values.length === 0) return { dtype, shape, min: null, max: null, mean: null, first };
  return { dtype, shape, min, max, mean: sum / values.length, first };
}

/** Writes each output as a .npy file, and gives the files by the outputs' names. All are made before any is written. */
function writeOutputs(folder: string, outputs: Readonly<Record<string, Tensor>>): Map<string, string> {
  const files = new Map<string, string>();
  const contents = new Map<string, Uint8Array>();
  for (const [name, tensor] of Object.entries(outputs)) {
    const stem = name.replace(/[^\w.-]+/g, "_");
    let path = join(folder, `${stem}.npy`);
    for (let n = 2; contents.has(path); n++) path = join(folder, `${stem}_${n}.npy`);
    contents.set(
      path,
      locate({ field: name }, () => npyBytes(forNumpy(tensor))),
    );
    files.set(name, path);
  }
  for (const [path, bytes] of contents) replaceFile(path, bytes);
  return files;
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (cause) {
    throw new NonzeroError("io", (cause as Error).message, { file: path }, { cause });
  }
}
