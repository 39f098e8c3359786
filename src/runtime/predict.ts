import {
  levelFor,
  limitOf,
  type Machine,
  type Prediction,
  predictTime,
  streamBytes,
} from "../backends/roofline/index.js";
import type { Cost, Product } from "../backends/specs/node.js";
import { costsOf, type StepCost } from "../backends/wasm/costs.js";
import { runsDense } from "../backends/wasm/forms.js";
import { detectDevice } from "../backends/wasm/index.js";
import { optimize, type Specialized, specialize } from "../compiler/index.js";
import { shapingInputs, specOf } from "../compiler/signature.js";
import { type Constant, labelOf, type Model } from "../graph/index.js";
import { parsePattern } from "../sparsity/index.js";
import { NonzeroError, type Tensor } from "../tensor/index.js";
import { prunedProduct } from "./pruned-product.js";

export interface PredictOptions {
  /** See `thisMachine`; or another machine's, read from a file. */
  readonly machine: Machine;
  /** Patterns' texts: `50%`, `2:4`, `block:16x16@90%`. */
  readonly patterns: readonly string[];
  /** Inputs by name, where shapes depend on their values. */
  readonly feeds?: Readonly<Record<string, Tensor>>;
  /** Shapes of all other inputs. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
}

/** A step of the model as it is. */
export interface PredictedStep extends Prediction {
  readonly op: string;
  readonly name: string;
  readonly kernel: string;
  /** Null where the host evaluates the operator: its time is not known, and not counted. */
  readonly cost: Cost | null;
  /** The least that the machine's peaks allow, in seconds. */
  readonly limit: number;
  /** Multiply-adds for each byte moved. */
  readonly intensity: number;
}

/** What a pattern would make of one layer. */
export interface PredictedPattern {
  readonly pattern: string;
  readonly layout: string;
  readonly seconds: number;
  /** The layer's time as it is over this. */
  readonly speedup: number;
  /** Bytes of the weight as a file would store it. */
  readonly bytes: number;
  /** Why it does not pay; null where the layer becomes at least `PAYS` times faster. */
  readonly why: string | null;
}

export interface PredictedLayer {
  readonly name: string;
  readonly op: string;
  readonly product: Product;
  readonly seconds: number;
  /** Of the model's time. */
  readonly share: number;
  readonly patterns: readonly PredictedPattern[];
}

/** What a pattern would make of the whole model. */
export interface PredictedModel {
  readonly pattern: string;
  /** With every layer pruned, and with those alone where it pays. */
  readonly seconds: number;
  readonly secondsWherePays: number;
  readonly speedup: number;
  readonly layersThatPay: number;
  /** Bytes of all constants, every layer pruned. */
  readonly bytes: number;
}

export interface PredictedRun {
  readonly seconds: number;
  readonly bytes: number;
  readonly steps: readonly PredictedStep[];
  /** Layers with a dense weight that could be pruned, in the order in which they run. */
  readonly layers: readonly PredictedLayer[];
  readonly patterns: readonly PredictedModel[];
}

/** The least gain that is worth a pruned layer. */
const PAYS = 1.05;

/**
 * What sparsity would bring to a model on a machine before anyone prunes it: the time of each step as it is, and of each layer under each
 * pattern. Nothing is run or pruned; how far off predictions are is in docs/performance.md. Graphs inside If and Loop, and what follows a shape
 * that depends on data, are not looked at.
 * @throws NonzeroError "invalid-argument" for a pattern, "not-found" for an input whose shape is not given, "shape", "unsupported" for a GPU.
 */
export function predict(model: Model, { machine, patterns, feeds = {}, shapes = {} }: PredictOptions): PredictedRun {
  if (machine.device !== "wasm")
    throw new NonzeroError("unsupported", "predictions are calibrated for WebAssembly alone", { field: "machine" });
  const parsed = patterns.map(parsePattern);
  const concrete = specialized(model, feeds, shapes);
  const costs = costsOf(concrete, detectDevice(machine.threads));
  const constants = constantBytes(concrete);
  const moved = Math.max(0, ...costs.map(({ cost }) => (cost === null ? 0 : cost.bytes - (cost.product?.bytes ?? 0))));
  const streamed = costs.reduce((sum, { cost }) => sum + (cost?.product ? streamBytes(cost.product) : 0), 0);
  const workingSet = streamed + moved;
  const steps = costs.map((step) => predictedStep(step, machine, workingSet));
  const seconds = steps.reduce((sum, step) => sum + step.seconds, 0);

  const pruned = new Map<string, { product: Product; layout: string } | null>();
  const under = (product: Product, p: (typeof parsed)[number]) => {
    const key = `${p.text}/${product.rows}/${product.depth}`;
    if (!pruned.has(key)) pruned.set(key, prunedProduct(product, p));
    const found = pruned.get(key) ?? null;
    if (found === null) return null;
    const { kept, bytes, share, dtype } = found.product;
    return { layout: found.layout, product: { ...product, kept, bytes, share, dtype } };
  };
  const candidates = costs.flatMap((step, i) => (canBePruned(step) ? [{ step, i, product: step.cost!.product! }] : []));
  const sets = parsed.map((p) =>
    candidates.reduce((sum, { product }) => {
      const other = under(product, p);
      return other === null ? sum : sum + streamBytes(other.product) - streamBytes(product);
    }, workingSet),
  );
  const layers = candidates.map(({ step, i, product }): PredictedLayer => {
    const own = steps[i]!;
    return {
      ...{ name: own.name, op: own.op, product, seconds: own.seconds, share: own.seconds / seconds },
      patterns: parsed.map((p, which) => {
        const other = under(product, p);
        if (other === null) {
          const why = "no layout takes fewer bytes than the dense weight";
          return {
            ...{ pattern: p.text, layout: "dense", bytes: product.bytes },
            seconds: own.seconds,
            speedup: 1,
            why,
          };
        }
        const op = own.op === "Conv" ? "conv" : "linear";
        if (runsDense({ ...other.product, op, cols: product.depth })) {
          const why = "so little is left out that it is multiplied dense";
          const stays = { seconds: own.seconds, speedup: 1, why };
          return { pattern: p.text, layout: other.layout, bytes: other.product.bytes, ...stays };
        }
        const cost: Cost = {
          multiplyAdds: other.product.kept * product.tokens,
          bytes: step.cost!.bytes - product.bytes + other.product.bytes,
          product: other.product,
        };
        const time = predictTime(step.kernel, cost, machine, sets[which]!);
        const speedup = own.seconds / time.seconds;
        const why = speedup >= PAYS ? null : reason(time, product, other.product, machine, sets[which]!);
        return {
          pattern: p.text,
          layout: other.layout,
          seconds: time.seconds,
          speedup,
          bytes: other.product.bytes,
          why,
        };
      }),
    };
  });
  return {
    ...{ seconds, bytes: constants, steps, layers },
    patterns: parsed.map((p, which): PredictedModel => {
      const saved = (only: (pattern: PredictedPattern) => boolean): number =>
        layers.reduce((sum, layer) => {
          const pattern = layer.patterns[which]!;
          return only(pattern) ? sum + layer.seconds - pattern.seconds : sum;
        }, 0);
      const all = seconds - saved(() => true);
      return {
        pattern: p.text,
        seconds: all,
        secondsWherePays: seconds - saved(({ why }) => why === null),
        speedup: seconds / all,
        layersThatPay: layers.filter((layer) => layer.patterns[which]!.why === null).length,
        bytes: layers.reduce((sum, { product, patterns: p }) => sum + p[which]!.bytes - product.bytes, constants),
      };
    }),
  };
}

/** The graph for these inputs. */
function specialized(
  model: Model,
  feeds: Readonly<Record<string, Tensor>>,
  shapes: Readonly<Record<string, readonly number[]>>,
): Specialized {
  const open = model.graph.inputs.filter((input) => !model.graph.constants.has(input));
  const graph = optimize({ ...model.graph, inputs: open });
  const shaping = shapingInputs(graph);
  const specs = graph.inputs.map((input) => {
    const { name, type } = input;
    const feed = feeds[name];
    if (feed !== undefined) return specOf(input, feed, shaping);
    const shape = shapes[name];
    if (shape === undefined || type === null)
      throw new NonzeroError("not-found", "neither the input nor its shape is given", { field: name });
    return { type: { dtype: type.dtype, shape } };
  });
  return specialize(graph, specs);
}

const bytesOf = (constant: Constant): number => constant.byteLength;
const constantBytes = ({ constants }: Specialized): number =>
  [...new Set(constants.values())].reduce((sum, constant) => sum + bytesOf(constant), 0);

function predictedStep({ node, kernel, cost }: StepCost, machine: Machine, workingSet: number): PredictedStep {
  const line = { op: node.op, name: labelOf(node), kernel, cost };
  if (cost === null)
    return { ...line, seconds: 0, bound: "overhead", packing: 0, calibrated: false, limit: 0, intensity: 0 };
  const { seconds: limit, intensity } = limitOf(cost, machine, cost.product ? workingSet : cost.bytes);
  return { ...line, ...predictTime(kernel, cost, machine, workingSet), limit, intensity };
}

/** Dense weights of linear layers and convolutions; a depthwise one has nothing to skip. */
const canBePruned = ({ kernel, cost }: StepCost): boolean => {
  const product = cost?.product;
  return product !== undefined && product.kept === product.rows * product.depth && kernel !== "direct-conv";
};

/** Why a layer gains nothing. */
function reason(time: Prediction, dense: Product, sparse: Product, machine: Machine, workingSet: number): string {
  const level = levelFor(machine.all, workingSet).name;
  if (time.bound === "overhead") return "too small: starting it is most of its time";
  if (time.bound !== "compute") {
    const share = Math.round((100 * streamBytes(sparse)) / streamBytes(dense));
    return `bound by ${level}: its weights still take ${share} % of the bytes`;
  }
  if (dense.tokens < 4) return "so few tokens that finding each kept weight costs what it saves";
  if (time.packing > time.seconds / 2) return "small: packing x and storing y is most of what is left";
  return "too dense: finding kept weights costs what it saves";
}
