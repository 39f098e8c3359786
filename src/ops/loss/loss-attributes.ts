import type { Attributes } from "../attributes.js";

export interface LossAttributes {
  /** A target with this label has no loss and no weight; null where no label is ignored. */
  readonly ignoreIndex: number | null;
  readonly reduction: "none" | "sum" | "mean";
}

export const lossAttributes = (node: Attributes): LossAttributes => ({
  ignoreIndex: node.optional("ignore_index", "int") ?? null,
  reduction: node.oneOf("reduction", ["none", "sum", "mean"], "mean"),
});
