import { statSync } from "node:fs";
import { type Command, Option } from "commander";
import { readModelFile, writeModelFile } from "../../formats/onnx/node.js";
import type { Model, Value } from "../../graph/index.js";
import { parseLayout, VALUE_DATA_TYPES, type ValueDataType } from "../../layouts/index.js";
import {
  type Allocation,
  applyFakeSparsity,
  applySparse,
  type CalibrationOptions,
  constantNodesToConstants,
  LAYER_PRUNERS,
  type Sparsified,
  type SparsifyOptions,
  toSparseModel,
  weightsOf,
} from "../../prune/index.js";
import { parsePattern } from "../../sparsity/index.js";
import { locate, NonzeroError } from "../../tensor/index.js";
import { collect, wholeNumber } from "../arguments.js";
import { calibrationSamples } from "../calibration-data.js";
import { METHOD_OPTIONS, methodOptions } from "../method-options.js";
import { bytes, percent, table } from "../output.js";
import { interruptible, steps } from "../progress.js";
import { writeReport } from "../report/index.js";
import { allocationFrom } from "../sweep.js";

interface Options {
  readonly output: string;
  readonly pattern?: string;
  readonly allocate?: string;
  readonly budget?: string;
  readonly layers: string[];
  readonly skip: string[];
  readonly dtype?: ValueDataType;
  readonly layout: string;
  readonly dense?: boolean;
  readonly report?: string;
  readonly method: string;
  readonly methodOption: string[];
  readonly calibrate?: string;
  readonly samples?: number;
  readonly order: "sequential" | "dense";
  readonly target: "dense" | "own";
  readonly json?: boolean;
}

export function addSparsify(program: Command): void {
  program
    .command("sparsify")
    .description("prune a model's weights and write it sparse")
    .argument("<model>", "an ONNX file")
    .requiredOption("-o, --output <file>", "where to write the pruned model")
    .option(
      "-p, --pattern <pattern>",
      "where zeros may lie: 2:4, 50%, block:16x16@90%, rows@25%, 4:2:4, … (docs/patterns.md); without one, weights keep the zeros that they have",
    )
    .option("--allocate <file>", "choose each layer's pattern from a sweep of `nonzero sensitivity`, within --budget")
    .option("--budget <what=target>", "for --allocate: sparsity=60% or bytes=12MB, of the layers in the sweep")
    .option("--layers <glob>", "only weights whose name, or whose node's name, matches (repeatable)", collect, [])
    .option("--skip <glob>", "leave these as they are (repeatable)", collect, [])
    .addOption(
      new Option("--dtype <dtype>", "how kept values are stored (default: as the model has them)").choices([
        ...VALUE_DATA_TYPES,
      ]),
    )
    .addOption(
      new Option("--method <method>", "who chooses what is kept, and mends it (docs/pruning.md)")
        .choices([...LAYER_PRUNERS.keys()])
        .default("magnitude"),
    )
    .option(
      "--method-option <name=value>",
      `one of the method's own options (repeatable): ${METHOD_OPTIONS}`,
      collect,
      [],
    )
    .option(
      "--calibrate <path>",
      "samples for methods that look at a layer's inputs: a folder of .npy or .wav files, a folder of folders with an INPUT.npy each, or a .jsonl",
    )
    .option("--samples <count>", "use that many of them at most", wholeNumber(1))
    .addOption(
      new Option(
        "--order <order>",
        "prune each weight by what the pruned ones before it leave, or all by the dense model's inputs",
      )
        .choices(["sequential", "dense"])
        .default("sequential"),
    )
    .addOption(
      new Option(
        "--target <target>",
        "in sequence, mend each layer to give what its own weight would give on its new inputs, or what it gives in the dense model (with many samples)",
      )
        .choices(["own", "dense"])
        .default("own"),
    )
    .option(
      "--layout <layout>",
      "smallest (fewest bytes), auto (fastest, where that depends on the layout), or one by its name: csr, bsr:16x16, …",
      "smallest",
    )
    .option("--dense", "write explicit zeros as plain ONNX, for onnxruntime and TensorRT")
    .option(
      "--report <file>",
      "write a page about it: sparsity, error and time of each layer, masks as pictures, and with --calibrate the speed of a run",
    )
    .option("--json", "print JSON")
    .action((file: string, options: Options) => sparsify(file, options));
}

/** The samples, and how their runs are told; nothing where the method looks at no inputs. */
function calibrationFor(
  model: Model,
  { method, calibrate, samples, order, target }: Options,
  task: { title: string },
  title: string,
): { calibration?: CalibrationOptions } {
  if (calibrate === undefined || LAYER_PRUNERS.get(method)!.needs === "nothing") return {};
  const start = performance.now();
  const onSample = (done: number, total: number): void => {
    const left = ((performance.now() - start) / done) * (total - done);
    task.title = `${title}: calibrating, ${done} of ${total} runs, about ${Math.ceil(left / 1000)} s left`;
  };
  return { calibration: { samples: calibrationSamples(calibrate, inputsOf(model), samples), order, target, onSample } };
}

const inputsOf = ({ graph }: Model): Value[] => graph.inputs.filter((input) => !graph.constants.has(input));

/** What is asked for, in words, and the pattern for each weight; undefined where weights keep the zeros that they have. */
function patternOf({
  pattern,
  allocate,
  budget,
  method,
}: Options): { text: string; of: SparsifyOptions["pattern"]; allocation?: Allocation } | undefined {
  if (allocate === undefined) {
    if (budget !== undefined) throw new NonzeroError("invalid-argument", "it needs --allocate", { field: "--budget" });
    if (pattern === undefined) return undefined;
    return { text: pattern, of: locate({ field: "--pattern" }, () => parsePattern(pattern)) };
  }
  if (budget === undefined || pattern !== undefined) {
    const reason = budget === undefined ? "it needs --budget" : "it chooses the patterns: leave --pattern out";
    throw new NonzeroError("invalid-argument", reason, { field: "--allocate" });
  }
  const allocation = allocationFrom(allocate, method, budget);
  return { text: budget, of: ({ name }) => allocation.get(name)?.pattern ?? "dense", allocation };
}

/** @throws NonzeroError "not-found" for a sweep of another model, whose choices would leave this one dense. */
function checkAllocation(model: Model, allocation: Allocation, file: string): void {
  const names = new Set(weightsOf(constantNodesToConstants(model)).map(({ name }) => name));
  const other = [...allocation.keys()].find((name) => !names.has(name));
  if (other !== undefined)
    throw new NonzeroError("not-found", `it is of another model: this one has no weight '${other}'`, { file });
}

/** @throws NonzeroError "layout" for one that there is not. */
function checkLayout(name: string): void {
  if (name !== "smallest" && name !== "auto") locate({ field: "--layout" }, () => parseLayout(name));
}

interface Work {
  model?: Model;
  result?: Sparsified;
}

async function sparsify(file: string, options: Options): Promise<void> {
  const { output, layers, skip, dtype, dense, json } = options;
  const method = LAYER_PRUNERS.get(options.method)!;
  checkLayout(options.layout);
  const ownOptions = methodOptions(method, options.methodOption);
  if (method.needs !== "nothing" && options.calibrate === undefined)
    throw new NonzeroError("invalid-argument", `the method '${method.name}' needs samples`, { field: "--calibrate" });
  const pattern = patternOf(options);
  const signal = interruptible();
  let before = 0;
  const work = await steps<Work>(
    {},
    [
      {
        title: `Read ${file}`,
        task: (context) => {
          context.model = readModelFile(file);
          before = statSync(file).size; // now: the output may take its place
          if (pattern?.allocation) checkAllocation(context.model, pattern.allocation, options.allocate!);
        },
      },
      {
        title: pattern === undefined ? "Pack the weights" : `Prune to ${pattern.text} by ${method.name}`,
        task: async (context, task) => {
          const title = task.title;
          const selection = { ...(layers.length > 0 ? { layers } : {}), ...(skip.length > 0 ? { skip } : {}) };
          const shared = {
            ...selection,
            ...(dtype === undefined ? {} : { values: dtype }),
            layout: options.layout,
            signal,
            onProgress: (done: number, total: number) => {
              task.title = `${title}: ${done} of ${total}`;
            },
          };
          const by = {
            pattern: pattern?.of ?? "",
            method,
            methodOptions: ownOptions,
            ...calibrationFor(context.model!, options, task, title),
          };
          if (pattern === undefined) context.result = await toSparseModel(context.model!, shared);
          else if (dense && dtype === undefined)
            context.result = await applyFakeSparsity(context.model!, { ...shared, ...by });
          else context.result = await applySparse(context.model!, { ...shared, ...by });
        },
      },
      {
        title: `Write ${output}`,
        task: async (context) => {
          try {
            await writeModelFile(output, context.result!.model, { sparse: dense ? "dense" : "packed", signal });
          } catch (error) {
            throw error instanceof NonzeroError ? error.at({ file: output }) : error;
          }
        },
      },
      {
        title: `Write ${options.report}`,
        enabled: options.report !== undefined,
        task: ({ model, result }) => {
          const { output: _, report, json: __, ...asked } = options;
          const { calibrate } = asked;
          const feeds = calibrate === undefined ? undefined : calibrationSamples(calibrate, inputsOf(model!), 1)[0];
          const sizes = { bytesBefore: before, bytesAfter: statSync(output).size };
          const about = { input: file, output, ...sizes, asked, model: model!, result: result!, feeds };
          return writeReport(report!, about, signal);
        },
      },
    ],
    json === true,
  );
  const weights = work.result!.weights.map((weight) =>
    dense ? { ...weight, layout: "dense", bytes: weight.denseBytes } : weight,
  );
  const after = statSync(output).size;
  if (json) {
    const rows = weights.map(({ weight, pattern, ...rest }) => ({
      name: weight.name,
      nodes: weight.nodes,
      shape: weight.constant.shape,
      pattern: pattern.text,
      ...rest,
    }));
    console.log(
      JSON.stringify(
        {
          input: file,
          output,
          pattern: pattern?.text ?? null,
          method: pattern === undefined ? null : method.name,
          dtype: dtype ?? null,
          bytesBefore: before,
          bytesAfter: after,
          weights: rows,
        },
        null,
        2,
      ),
    );
    return;
  }
  const withErrors = weights.some(({ error }) => error !== null);
  console.log(
    table(
      [
        { title: "weight" },
        { title: "shape" },
        { title: "sparsity", align: "right" },
        ...(withErrors ? [{ title: "error", align: "right" } as const] : []),
        { title: "layout" },
        { title: "dense", align: "right" },
        { title: "now", align: "right" },
      ],
      weights.map(({ weight, sparsity, error, layout, denseBytes, bytes: now }) => [
        weight.nodes[0] ?? weight.name,
        weight.constant.shape.join("×"),
        percent(sparsity),
        ...(withErrors ? [error === null ? "" : percent(error, 2)] : []),
        layout,
        bytes(denseBytes),
        bytes(now),
      ]),
    ),
  );
  if (withErrors)
    console.log("\nerror: share of the energy of the layer's outputs over the calibration samples that is lost");
  for (const { weight, notes } of weights)
    for (const note of notes) console.log(`${weight.nodes[0] ?? weight.name}: ${note}`);
  console.log(`\n${output}: ${bytes(after)}, ${percent(after / before)} of ${bytes(before)}`);
}
