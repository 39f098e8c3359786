import type { Model } from "../graph/index.js";
import { NonzeroError } from "../tensor/index.js";
import { type Weight, weightsOf } from "./weights.js";

/** Which weights to prune. */
export interface LayerSelection {
  /**
   * Globs over a weight's name and the names of the nodes that read it; `*` also matches `/`. Given, they decide alone: embeddings, tied and
   * depthwise weights are taken where they match. Without them: every linear and convolution weight that is none of those.
   */
  readonly layers?: readonly string[];
  /** Globs of what to leave as it is. */
  readonly skip?: readonly string[];
}

/** The weights that a selection names. @throws NonzeroError "not-found" for a glob that matches nothing. */
export function selectLayers(model: Model, { layers, skip = [] }: LayerSelection): Weight[] {
  const weights = weightsOf(model);
  const matches = (weight: Weight, glob: string): boolean => [weight.name, ...weight.nodes].some(matcher(glob));
  for (const [field, globs] of [
    ["layers", layers ?? []],
    ["skip", skip],
  ] as const) {
    for (const glob of globs) {
      if (weights.some((weight) => matches(weight, glob))) continue;
      throw new NonzeroError(
        "not-found",
        `no weight and no node that reads one matches '${glob}'${examples(weights)}`,
        {
          field,
        },
      );
    }
  }
  return weights.filter((weight) => {
    if (skip.some((glob) => matches(weight, glob))) return false;
    if (layers !== undefined && layers.length > 0) return layers.some((glob) => matches(weight, glob));
    return (weight.kind === "linear" || weight.kind === "conv") && !weight.tied;
  });
}

/** `*` is any text, `?` any one character; names hold slashes, dots and colons as plain characters. */
function matcher(glob: string): (name: string) => boolean {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  const expression = new RegExp(`^${source}$`);
  return (name) => expression.test(name);
}

const examples = (weights: readonly Weight[]): string =>
  weights.length === 0
    ? ""
    : `; there are ${weights
        .slice(0, 3)
        .map(({ name, nodes }) => `'${name}' (${nodes[0]})`)
        .join(", ")}${weights.length > 3 ? ` and ${weights.length - 3} more` : ""}`;
