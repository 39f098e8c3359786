import { statSync } from "node:fs";
import { type Command, Option } from "commander";
import { readModelFile, writeModelFile } from "../../formats/onnx/node.js";
import type { Model } from "../../graph/index.js";
import { VALUE_DATA_TYPES, type ValueDataType } from "../../layouts/index.js";
import { applyFakeSparsity, applySparse, type Sparsified, toSparseModel } from "../../prune/index.js";
import { type Pattern, parsePattern } from "../../sparsity/index.js";
import { locate, NonzeroError } from "../../tensor/index.js";
import { collect } from "../arguments.js";
import { bytes, percent, table } from "../output.js";
import { interruptible, steps } from "../progress.js";

interface Options {
  readonly output: string;
  readonly pattern?: string;
  readonly layers: string[];
  readonly skip: string[];
  readonly dtype?: ValueDataType;
  readonly dense?: boolean;
  readonly json?: boolean;
}

export function addSparsify(program: Command): void {
  program
    .command("sparsify")
    .description("prune a model's weights by magnitude and write it sparse")
    .argument("<model>", "an ONNX file")
    .requiredOption("-o, --output <file>", "where to write the pruned model")
    .option(
      "-p, --pattern <pattern>",
      "where zeros may lie: 2:4, 50%, block:16x16@90%, rows@25%, 4:2:4, … (docs/patterns.md); without one, weights keep the zeros that they have",
    )
    .option("--layers <glob>", "only weights whose name, or whose node's name, matches (repeatable)", collect, [])
    .option("--skip <glob>", "leave these as they are (repeatable)", collect, [])
    .addOption(
      new Option("--dtype <dtype>", "how kept values are stored (default: as the model has them)").choices([
        ...VALUE_DATA_TYPES,
      ]),
    )
    .option("--dense", "write explicit zeros as plain ONNX, for onnxruntime and TensorRT")
    .option("--json", "print JSON")
    .action((file: string, options: Options) => sparsify(file, options));
}

const patternOf = (text: string): Pattern => locate({ field: "--pattern" }, () => parsePattern(text));

interface Work {
  model?: Model;
  result?: Sparsified;
}

async function sparsify(file: string, options: Options): Promise<void> {
  const { output, layers, skip, dtype, dense, json } = options;
  const pattern = options.pattern === undefined ? undefined : patternOf(options.pattern);
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
        },
      },
      {
        title: pattern === undefined ? "Pack the weights" : `Prune to ${pattern.text}`,
        task: async (context, task) => {
          const title = task.title;
          const selection = { ...(layers.length > 0 ? { layers } : {}), ...(skip.length > 0 ? { skip } : {}) };
          const shared = {
            ...selection,
            ...(dtype === undefined ? {} : { values: dtype }),
            signal,
            onProgress: (done: number, total: number) => {
              task.title = `${title}: ${done} of ${total}`;
            },
          };
          if (pattern === undefined) context.result = await toSparseModel(context.model!, shared);
          else if (dense && dtype === undefined)
            context.result = await applyFakeSparsity(context.model!, { ...shared, pattern });
          else context.result = await applySparse(context.model!, { ...shared, pattern });
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
    ],
    json === true,
  );
  const weights = work.result!.weights.map((weight) =>
    dense ? { ...weight, layout: "dense", bytes: weight.denseBytes } : weight,
  );
  const after = statSync(output).size;
  if (json) {
    const rows = weights.map(({ weight, ...rest }) => ({
      name: weight.name,
      nodes: weight.nodes,
      shape: weight.constant.shape,
      ...rest,
    }));
    console.log(
      JSON.stringify(
        {
          input: file,
          output,
          pattern: pattern?.text ?? null,
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
  console.log(
    table(
      [
        { title: "weight" },
        { title: "shape" },
        { title: "sparsity", align: "right" },
        { title: "layout" },
        { title: "dense", align: "right" },
        { title: "now", align: "right" },
      ],
      weights.map(({ weight, sparsity, layout, denseBytes, bytes: now }) => [
        weight.nodes[0] ?? weight.name,
        weight.constant.shape.join("×"),
        percent(sparsity),
        layout,
        bytes(denseBytes),
        bytes(now),
      ]),
    ),
  );
  console.log(`\n${output}: ${bytes(after)}, ${percent(after / before)} of ${bytes(before)}`);
}
