import { type Graph, labelOf, type Model, type Node, subgraphsOf, type Value } from "../../graph/index.js";
import { Attributes } from "../../ops/index.js";
import { type ConvAttributes, convAttributes } from "../../ops/nn/conv.js";
import type { Weight } from "../weights.js";

/** How a weight's node reads the activation that the weight multiplies. */
export type Reading =
  /** A matrix product: the channels are the last axis, or the one before it. */
  | { readonly kind: "features"; readonly axis: -1 | -2 }
  /** A convolution with a weight of this shape: the channels are the patches under the kernel. */
  | { readonly kind: "patches"; readonly weight: readonly number[]; readonly attributes: ConvAttributes };

/** A place where the inputs of one or more weights can be seen: an activation, and how it is read there. */
export interface Site {
  /** The first node that reads it so. */
  readonly node: Node;
  readonly input: number;
  readonly value: Value;
  readonly reading: Reading;
  /** The node of the model's own graph that holds `node` in a subgraph, or `node` itself. */
  readonly outermost: Node;
}

/** Weights whose inputs are the same, and where these are seen. */
export interface Source {
  readonly weights: readonly Weight[];
  readonly sites: readonly Site[];
}

/**
 * Where the inputs of `weights` can be seen, in the order in which the model computes them. Weights that read the same activations (the
 * projections of an attention) share a source; one that is used in several places has several sites. Embeddings have no inputs to see and are left out.
 */
export function sourcesOf(model: Model, weights: readonly Weight[]): Source[] {
  const wanted = new Map(weights.map((weight) => [weight.value, weight]));
  const transposed = new Map<Value, Value>(); // a transposed weight's value, to the weight's
  const sites: Site[] = [];
  const seen = new Map<Weight, Set<number>>();
  const visit = (graph: Graph, outermost: Node | null): void => {
    for (const node of graph.nodes) {
      const [first] = node.inputs;
      if (node.op === "Transpose" && node.domain === "" && first && wanted.has(first))
        transposed.set(node.outputs[0]!, first);
      for (const [at, input] of node.inputs.entries()) {
        const weight = input && wanted.get(transposed.get(input) ?? input);
        const found = weight && activationOf(node, at, weight);
        if (!found) continue;
        const site = siteNumber(sites, { ...found, node, outermost: outermost ?? node });
        seen.set(weight, (seen.get(weight) ?? new Set()).add(site));
      }
      for (const inner of subgraphsOf(node)) visit(inner, outermost ?? node);
    }
  };
  visit(model.graph, null);
  const sources = new Map<string, { weights: Weight[]; sites: Site[] }>();
  for (const [weight, numbers] of seen) {
    const key = [...numbers].join();
    const source = sources.get(key);
    if (source) source.weights.push(weight);
    else sources.set(key, { weights: [weight], sites: [...numbers].map((i) => sites[i]!) });
  }
  return [...sources.values()];
}

/** Number of the site, which is new unless the value is read in the same way elsewhere. */
function siteNumber(sites: Site[], site: Site): number {
  const key = JSON.stringify(site.reading);
  const known = sites.findIndex(({ value, reading }) => value === site.value && JSON.stringify(reading) === key);
  return known >= 0 ? known : sites.push(site) - 1;
}

/** What the node multiplies with its input `at`, a weight. */
function activationOf(node: Node, at: number, weight: Weight): Pick<Site, "input" | "value" | "reading"> | null {
  const reads = (input: number, reading: Reading): Pick<Site, "input" | "value" | "reading"> | null => {
    const value = node.inputs[input];
    return value ? { input, value, reading } : null;
  };
  const flag = (name: string): boolean => {
    const attribute = node.attributes.get(name);
    return attribute?.kind === "int" && attribute.value !== 0;
  };
  switch (node.op) {
    case "MatMul":
    case "FusedMatMul":
    case "Gemm":
    case "FusedGemm":
      if (at === 1) return reads(0, { kind: "features", axis: flag("transA") ? -2 : -1 });
      return at === 0 ? reads(1, { kind: "features", axis: flag("transB") ? -1 : -2 }) : null;
    case "Conv":
    case "FusedConv":
      if (at !== 1) return null;
      return reads(0, {
        kind: "patches",
        weight: weight.constant.shape,
        attributes: convAttributes(new Attributes(node)),
      });
    default:
      return null;
  }
}

/** What to call a site in messages: its node. */
export const siteLabel = ({ node }: Site): string => labelOf(node);
