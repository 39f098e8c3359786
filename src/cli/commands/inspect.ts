import { statSync } from "node:fs";
import type { Command } from "commander";
import { readModelFile } from "../../formats/onnx/node.js";
import { SparseTensor, toMatrix } from "../../layouts/index.js";
import { constantNodesToConstants, multiplyAddsOf, type Weight, weightsOf } from "../../prune/index.js";
import { maskOf, sparsityOf, tightestPattern } from "../../sparsity/index.js";
import { locateAsync, Tensor } from "../../tensor/index.js";
import { collect } from "../arguments.js";
import { dimensionsOf } from "../inputs.js";
import { withMachine } from "../machine.js";
import { bytes, count, percent, table } from "../output.js";
import { DEFAULT_PATTERNS, type PredictCommand, printPrediction } from "./predict.js";

interface Options extends PredictCommand {
  readonly dim: string[];
  readonly predict?: boolean;
}

export function addInspect(program: Command): void {
  withMachine(
    program
      .command("inspect")
      .description(
        "list a model's weights: what reads them, how sparse they are, the tightest pattern they satisfy, their bytes",
      )
      .argument("<model>", "an ONNX file")
      .option("--predict", "say what sparsity would bring on this machine, layer by layer; nothing is run or pruned")
      .option("--pattern <patterns...>", "patterns to predict", [...DEFAULT_PATTERNS]),
  )
    .option("--input <name=source>", "NAME=FILE.npy, where shapes depend on an input's value (repeatable)", collect, [])
    .option(
      "--dim <name=size>",
      "size of a named input dimension, for the multiply-adds (repeatable; 1 where not given)",
      collect,
      [],
    )
    .option("--json", "print JSON")
    .action((file: string, options: Options) =>
      options.predict
        ? locateAsync({ file }, async () => printPrediction(file, readModelFile(file), options))
        : inspect(file, options),
    );
}

function inspect(file: string, { dim, json }: Options): void {
  const model = constantNodesToConstants(readModelFile(file));
  const cost = multiplyAddsOf(model, dimensionsOf(dim));
  const total = [...cost.values()].reduce<number>((sum, n) => sum + (n ?? 0), 0);
  const known = [...cost.values()].every((n) => n !== null) && total > 0;
  const weights = weightsOf(model).map((weight) => {
    const own = cost.get(weight.value) ?? null;
    return { ...describe(weight), multiplyAdds: own, share: known && own !== null ? own / total : null };
  });
  const summary = {
    file,
    bytes: statSync(file).size,
    opsets: Object.fromEntries(model.opsets),
    inputs: model.graph.inputs.map(({ name, type }) => ({ name, ...type })),
    outputs: model.graph.outputs.map(({ name, type }) => ({ name, ...type })),
    parameters: weights.reduce((sum, { parameters }) => sum + parameters, 0),
    multiplyAdds: known ? total : null,
    weights,
  };
  if (json) {
    console.log(JSON.stringify(summary, null, 2));
    return;
  }
  console.log(
    table(
      [
        { title: "weight" },
        { title: "operator" },
        { title: "shape" },
        { title: "dtype" },
        { title: "parameters", align: "right" },
        { title: "multiply-adds", align: "right" },
        { title: "sparsity", align: "right" },
        { title: "pattern" },
        { title: "layout" },
        { title: "bytes", align: "right" },
      ],
      weights.map((w) => [
        w.label,
        w.operators.join(", "),
        w.shape.join("×"),
        w.dtype,
        count(w.parameters),
        w.share === null ? "?" : percent(w.share),
        percent(w.sparsity),
        w.pattern,
        w.layout,
        bytes(w.bytes),
      ]),
    ),
  );
  const cover = known
    ? `${count(total)} multiply-adds a run in them`
    : "their multiply-adds depend on named dimensions: give --dim NAME=SIZE";
  console.log(
    `\n${file}: ${bytes(summary.bytes)}, ${weights.length} weights, ${count(summary.parameters)} parameters; ${cover}`,
  );
}

function describe(weight: Weight) {
  const { constant, perm, rows, cols } = weight;
  const matrix = toMatrix(constant instanceof Tensor ? constant : constant.toDense(), perm);
  const mask = maskOf(matrix);
  return {
    name: weight.name,
    label: labelFor(weight),
    nodes: weight.nodes,
    operators: weight.operators,
    kind: weight.kind,
    tied: weight.tied,
    shape: constant.shape,
    dtype: constant.dtype,
    parameters: rows * cols,
    sparsity: sparsityOf(mask),
    pattern: tightestPattern(mask).text,
    layout: constant instanceof SparseTensor ? constant.stored.layout : "dense",
    bytes: constant.byteLength,
  };
}

/** Exporters name weights `onnx::MatMul_1493`: the node says more. */
const labelFor = ({ name, nodes }: Weight): string => (/^onnx::|^\d+$/.test(name) && nodes[0] ? nodes[0] : name);
