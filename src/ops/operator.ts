import type { Graph, Node, ValueType } from "../graph/index.js";
import type { Tensor } from "../tensor/index.js";
import type { Attributes } from "./attributes.js";

/** An input as shape inference sees it: its type, and its value where that is known already (a constant, a folded shape). */
export interface Operand {
  readonly type: ValueType;
  readonly value?: Tensor | undefined;
}

/** What operators with subgraphs (If, Loop, Scan) need to evaluate. */
export interface EvaluateContext {
  /** Runs a subgraph of the node on its inputs, with the values that it captures in scope. */
  run(graph: Graph, inputs: readonly Tensor[]): Tensor[];
}

/** What operators with subgraphs need to infer. */
export interface InferContext {
  /** Types of the outputs of a subgraph for these inputs. */
  infer(graph: Graph, inputs: readonly Operand[]): ValueType[];
}

/**
 * All that the rest of Nonzero knows of an operator; one file an operator.
 *
 * `A` is what its attributes are parsed into; where the meaning depends on the opset version, `attributes` reads
 * `node.version` and `A` carries the difference.
 */
// biome-ignore lint/suspicious/noExplicitAny: a registry of operators holds many attribute types
export interface Operator<A = any> {
  /** ONNX name. */
  readonly name: string;
  /** "" (ONNX), "com.microsoft" or "ai.nonzero". */
  readonly domain: string;
  /** Reads and checks the node's attributes. @throws NonzeroError "invalid-model" naming the field. */
  attributes(node: Attributes): A;
  /**
   * Types of the outputs. Dimensions may be names; where a shape can't be known from what is given, `shape` is null.
   * Given concrete shapes and the values that the result's shape depends on, the result is concrete.
   * @throws NonzeroError "shape" when the inputs do not fit together.
   */
  infer(inputs: readonly (Operand | null)[], a: A, context: InferContext): readonly ValueType[];
  /** The meaning: short loops that a reader believes at sight. Kernels are tested against this; devices without a kernel run it. */
  evaluate(inputs: readonly (Tensor | null)[], a: A, context: EvaluateContext): readonly Tensor[];
  /** Results that follow from the inputs' types alone (Shape, Size), where those are concrete; else null. */
  fromTypes?(inputs: readonly (Operand | null)[], a: A): readonly Tensor[] | null;
  /** Input indices whose values (not only types) `infer` needs: Reshape's shape, Slice's starts, … */
  readonly shapeInputs?: readonly number[];
  /** False for operators whose result differs from run to run (RandomNormal, …), which are not folded. */
  readonly deterministic?: boolean;
}

/** Key of an operator in the registry. */
export const operatorKey = (node: Pick<Node, "op" | "domain">): string =>
  node.domain === "" ? node.op : `${node.domain}::${node.op}`;
