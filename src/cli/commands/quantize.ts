import { statSync } from "node:fs";
import { type Command, Option } from "commander";
import { readModelFile, writeModelFile } from "../../formats/onnx/node.js";
import type { Model } from "../../graph/index.js";
import {
  dequantize,
  GROUP_SIZES,
  type GroupSize,
  type QuantizationScheme,
  type Quantized,
  quantize,
  SCHEMES,
} from "../../quantize/index.js";
import { NonzeroError } from "../../tensor/index.js";
import { collect } from "../arguments.js";
import { bytes, percent, table } from "../output.js";
import { interruptible, steps } from "../progress.js";

interface Options {
  readonly output: string;
  readonly scheme: QuantizationScheme;
  readonly groupSize?: string;
  readonly asymmetric?: boolean;
  readonly embeddings?: boolean;
  readonly layers: string[];
  readonly skip: string[];
  readonly json?: boolean;
}

export function addQuantize(program: Command): void {
  program
    .command("quantize")
    .description("store a model's weights in 8 or 4 bits; sparse weights stay sparse (docs/quantization.md)")
    .argument("<model>", "an ONNX file, dense or sparse")
    .requiredOption("-o, --output <file>", "where to write the quantized model")
    .addOption(
      new Option("--scheme <scheme>", "8-bit weights, 8-bit weights and activations, or 4-bit weights")
        .choices([...SCHEMES])
        .default("int8-weight-only"),
    )
    .addOption(
      new Option("--group-size <inputs>", "of int4: inputs that share a scale (default: 32)").choices(
        GROUP_SIZES.map(String),
      ),
    )
    .option("--asymmetric", "of int4: a zero point for each group")
    .option("--embeddings", "also tables that Gather reads, and weights that products and tables share")
    .option("--layers <glob>", "only weights whose name, or whose node's name, matches (repeatable)", collect, [])
    .option("--skip <glob>", "leave these as they are (repeatable)", collect, [])
    .option("--json", "print JSON")
    .action((file: string, options: Options) => runQuantize(file, options));
  program
    .command("dequantize")
    .description("give a quantized model float weights again, to be pruned")
    .argument("<model>", "an ONNX file")
    .requiredOption("-o, --output <file>", "where to write it")
    .option("--json", "print JSON")
    .action((file: string, options: Pick<Options, "output" | "json">) => runDequantize(file, options));
}

interface Work {
  model?: Model;
  result?: Quantized;
}

async function runQuantize(file: string, options: Options): Promise<void> {
  const { output, scheme, groupSize, asymmetric, embeddings = false, layers, skip, json = false } = options;
  const refuse = (field: string, given: boolean): void => {
    if (given) throw new NonzeroError("invalid-argument", `it is for int4, not for ${scheme}`, { field });
  };
  if (scheme !== "int4") {
    refuse("--group-size", groupSize !== undefined);
    refuse("--asymmetric", asymmetric === true);
  }
  const signal = interruptible();
  let before = 0;
  const { result } = await steps<Work>(
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
        title: `Quantize to ${scheme}`,
        task: async (context, task) => {
          const title = task.title;
          context.result = await quantize(context.model!, {
            ...{ scheme, embeddings, symmetric: asymmetric !== true, signal },
            ...(groupSize === undefined ? {} : { groupSize: Number(groupSize) as GroupSize }),
            ...(layers.length > 0 ? { layers } : {}),
            ...(skip.length > 0 ? { skip } : {}),
            onProgress: (done, total) => {
              task.title = `${title}: ${done} of ${total}`;
            },
          });
        },
      },
      { title: `Write ${output}`, task: (context) => write(output, context.result!.model, signal) },
    ],
    json,
  );
  const after = statSync(output).size;
  const weights = result!.weights;
  if (json) {
    const rows = weights.map(({ weight, ...rest }) => ({
      ...{ name: weight.name, nodes: weight.nodes, kind: weight.kind, shape: weight.constant.shape },
      ...rest,
    }));
    const summary = { input: file, output, scheme, bytesBefore: before, bytesAfter: after, weights: rows };
    console.log(JSON.stringify(summary, null, 2));
    return;
  }
  console.log(
    table(
      [
        { title: "weight" },
        { title: "shape" },
        { title: "stored" },
        { title: "before", align: "right" },
        { title: "now", align: "right" },
      ],
      weights.map(({ weight, stored, bytes: now }) => [
        weight.nodes[0] ?? weight.name,
        weight.constant.shape.join("×"),
        stored,
        bytes(weight.constant.byteLength),
        bytes(now),
      ]),
    ),
  );
  for (const { weight, notes } of weights)
    for (const note of notes) console.log(`${weight.nodes[0] ?? weight.name}: ${note}`);
  console.log(`\n${output}: ${bytes(after)}, ${percent(after / before)} of ${bytes(before)}`);
}

async function runDequantize(file: string, { output, json = false }: Pick<Options, "output" | "json">): Promise<void> {
  const signal = interruptible();
  let before = 0;
  await steps<Work>(
    {},
    [
      {
        title: `Read ${file}`,
        task: (context) => {
          context.model = dequantize(readModelFile(file));
          before = statSync(file).size; // now: the output may take its place
        },
      },
      { title: `Write ${output}`, task: (context) => write(output, context.model!, signal) },
    ],
    json,
  );
  const after = statSync(output).size;
  if (json) console.log(JSON.stringify({ input: file, output, bytesBefore: before, bytesAfter: after }, null, 2));
  else console.log(`\n${output}: ${bytes(after)}, from ${bytes(before)}`);
}

async function write(output: string, model: Model, signal: AbortSignal): Promise<void> {
  try {
    await writeModelFile(output, model, { sparse: "packed", signal });
  } catch (error) {
    throw error instanceof NonzeroError ? error.at({ file: output }) : error;
  }
}
