import type { Model } from "../../graph/index.js";
import { type PredictedLayer, type PredictedRun, predict } from "../../runtime/predict.js";
import { feedsFor, type InputOptions } from "../inputs.js";
import { calibrationError, type MachineOptions, machineFor, machineText } from "../machine.js";
import { bytes, milliseconds, percent, table } from "../output.js";

export interface PredictCommand extends MachineOptions, InputOptions {
  readonly pattern: readonly string[];
  readonly json?: boolean;
}

export const DEFAULT_PATTERNS: readonly string[] = ["50%", "2:4", "75%", "90%", "block:16x16@90%"];

/** `inspect --predict`: what each pattern would bring on a machine. */
export async function printPrediction(file: string, model: Model, options: PredictCommand): Promise<void> {
  const inputs = model.graph.inputs.filter((input) => !model.graph.constants.has(input));
  const feeds = feedsFor(inputs, options);
  const machine = await machineFor(options);
  const run = predict(model, { machine, patterns: options.pattern, feeds });
  if (options.json) {
    const { steps: _, ...rest } = run;
    console.log(JSON.stringify({ file, machine: machineText(machine), ...rest }));
    return;
  }
  const shapes = Object.entries(feeds).map(([name, { shape }]) => `${name} [${shape.join(", ")}]`);
  const error = percent(calibrationError(machine), 0);
  console.log(`${file} with ${shapes.join(", ")} on ${machineText(machine)}\n`);
  console.log(`${layerTable(run, options.pattern)}\n\n${modelTable(run)}\n${notes(run)}`);
  console.log(`\nNothing was run. Kernels of this machine were ${error} off at the median when it was calibrated.`);
}

const times = (speedup: number): string => `${speedup.toFixed(2)}×`;
const seconds = (value: number): string => milliseconds(1000 * value);

/** Layers that multiply alike, which a model repeats, by their first. */
function alike(layers: readonly PredictedLayer[]): (readonly [PredictedLayer, ...PredictedLayer[]])[] {
  const groups = new Map<string, [PredictedLayer, ...PredictedLayer[]]>();
  for (const layer of layers) {
    const { rows, depth, tokens, window } = layer.product;
    const key = `${layer.op}/${rows}/${depth}/${tokens}/${window}`;
    const group = groups.get(key);
    if (group) group.push(layer);
    else groups.set(key, [layer]);
  }
  return [...groups.values()];
}

function layerTable({ layers }: PredictedRun, patterns: readonly string[]): string {
  const right = (title: string) => ({ title, align: "right" as const });
  return table(
    [
      { title: "layer" },
      right("count"),
      right("W"),
      right("tokens"),
      right("dense"),
      right("of model"),
      ...patterns.map(right),
    ],
    alike(layers).map((group) => {
      const [{ name, product, patterns: made }] = group;
      const share = group.reduce((sum, layer) => sum + layer.share, 0);
      return [
        ...[
          name,
          `${group.length}`,
          `${product.rows}×${product.depth}`,
          `${product.tokens}`,
          seconds(group[0].seconds),
        ],
        percent(share),
        ...made.map(({ speedup, why }) => (why === null ? times(speedup) : `${times(speedup)} -`)),
      ];
    }),
  );
}

function modelTable(run: PredictedRun): string {
  const right = (title: string) => ({ title, align: "right" as const });
  return table(
    [{ title: "whole model" }, right("time"), right("speed-up"), right("pays in"), right("only there"), right("bytes")],
    [
      ["as it is", seconds(run.seconds), times(1), "", "", bytes(run.bytes)],
      ...run.patterns.map((p) => [
        ...[p.pattern, seconds(p.seconds), times(p.speedup), `${p.layersThatPay} of ${run.layers.length}`],
        ...[times(run.seconds / p.secondsWherePays), bytes(p.bytes)],
      ]),
    ],
  );
}

/** Why layers do not pay, each reason once, and what was not counted. */
function notes({ layers, steps }: PredictedRun): string {
  const reasons = new Map<string, Set<string>>();
  for (const { name, patterns } of layers)
    for (const { pattern, why } of patterns) {
      if (why === null) continue;
      const line = `${pattern}: ${why}`;
      reasons.set(line, (reasons.get(line) ?? new Set()).add(name));
    }
  const lines = [...reasons].map(([line, names]) => {
    const [first] = names;
    return `- ${line} (${first}${names.size > 1 ? ` and ${names.size - 1} more` : ""})`;
  });
  const host = steps.filter(({ cost }) => cost === null).length;
  const guessed = new Set(
    steps.flatMap(({ calibrated, cost, kernel }) => (calibrated || cost === null ? [] : [kernel])),
  );
  if (host > 0) lines.push(`- ${host} operators run on the host: their time is not counted`);
  if (guessed.size > 0) lines.push(`- not calibrated, taken from the machine's peaks: ${[...guessed].join(", ")}`);
  const head = layers.some(({ patterns }) => patterns.some(({ why }) => why !== null))
    ? "\nwhere it does not pay (-):"
    : "";
  return lines.length === 0 ? "" : `${head}\n${lines.join("\n")}`;
}
