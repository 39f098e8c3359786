import type { Node } from "../../../graph/index.js";
import type { MatchContext as WasmContext, Kernel as WasmKernel } from "../../wasm/kernel.js";
import type { MatchContext } from "../kernel.js";

/** A WebAssembly host on which no kernel's spec depends. */
export const WASM_HOST = { relaxed: false, shared: false, threads: 1 };

/** What a function of the WebAssembly device's kernels reads from a node. */
export const specBy = <Spec>(match: (node: Node, at: WasmContext) => Spec, node: Node, at: MatchContext): Spec =>
  match(node, {
    device: WASM_HOST,
    type: (value) => at.type(value),
    constant: (value) => at.constant(value),
  });

/**
 * The spec that the WebAssembly device's kernel gives for a node, null where it gives none: specs are pure data that speak of
 * shapes, dtypes and attributes, so a kernel here that computes the same starts from the same.
 */
export const specOf = <Spec>(kernel: WasmKernel, node: Node, at: MatchContext): Spec | null =>
  specBy((node, at) => kernel.match(node, at), node, at) as Spec | null;
