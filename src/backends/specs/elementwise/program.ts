import type { Node, Value } from "../../../graph/index.js";
import { attributesFor, operatorKey, operators } from "../../../ops/index.js";
import { type DataType, Tensor } from "../../../tensor/index.js";
import { isLaneType, type LaneType } from "./lanes.js";
import { RULES } from "./rules.js";

/** One operation on values that came before; pure data. */
export interface Step {
  /** A name in OPERATIONS. */
  readonly op: string;
  readonly params: readonly number[];
  /** Slots: inputs first, then steps in order. */
  readonly args: readonly number[];
  readonly dtype: LaneType;
}

/** A straight line of elementwise operations: what one loop evaluates for each element. */
export interface Program {
  readonly inputs: readonly LaneType[];
  readonly steps: readonly Step[];
  /** Slots. */
  readonly outputs: readonly number[];
}

/** Programs of the same text compute the same. */
export const programText = ({ inputs, steps, outputs }: Program): string =>
  [
    inputs.join(),
    ...steps.map(({ op, params, args, dtype }) => `${op}${params.length > 0 ? `[${params}]` : ""}(${args}):${dtype}`),
    outputs.join(),
  ].join(";");

/** The dtype of a slot. */
export const typeOfSlot = ({ inputs, steps }: Pick<Program, "inputs" | "steps">, slot: number): LaneType =>
  inputs[slot] ?? steps[slot - inputs.length]!.dtype;

/** A program under construction. */
export class ProgramBuilder {
  readonly inputs: LaneType[];
  readonly steps: Step[] = [];

  constructor(inputs: readonly LaneType[]) {
    this.inputs = [...inputs];
  }

  dtype(slot: number): LaneType {
    return typeOfSlot(this, slot);
  }

  /** The number that a slot always holds, where it is a constant. */
  constant(slot: number): number | undefined {
    const step = this.steps[slot - this.inputs.length];
    return step?.op === "Constant" ? step.params[0] : undefined;
  }

  add(
    op: string,
    args: readonly number[],
    dtype: LaneType = this.dtype(args[0]!),
    params: readonly number[] = [],
  ): number {
    return this.inputs.length + this.steps.push({ op, params, args, dtype }) - 1;
  }
}

/** Appends a node; false when there is no rule for it. */
function addNode(node: Node, builder: ProgramBuilder, slots: Map<Value, number>): boolean {
  const rule = RULES.get(operatorKey(node));
  const operator = operators.get(operatorKey(node));
  if (rule === undefined || operator === undefined) return false;
  const args = node.inputs.map((input) => (input === null ? null : slots.get(input)));
  if (args.includes(undefined) || node.outputs.filter((output) => output !== null).length !== 1) return false;
  const result = rule(builder, args as (number | null)[], attributesFor(node, operator), node);
  if (result === null) return false;
  slots.set(node.outputs[0]!, result);
  return true;
}

/** A scalar constant as a step; false where it is none. */
function addConstant(value: Value, constant: unknown, builder: ProgramBuilder, slots: Map<Value, number>): boolean {
  if (!(constant instanceof Tensor) || constant.size !== 1 || !isLaneType(constant.dtype)) return false;
  const number = constant.item();
  if (constant.dtype === "int64" && !Number.isSafeInteger(number)) return false;
  slots.set(value, builder.add("Constant", [], constant.dtype, [number]));
  return true;
}

/**
 * The program of nodes in order: what it makes of `outputs` from `inputs` and `scalars`, constants that become part of the code.
 * Null when one of the nodes has none.
 */
export function programOf(
  nodes: readonly Node[],
  inputs: readonly { readonly value: Value; readonly dtype: LaneType }[],
  scalars: Iterable<readonly [Value, unknown]>,
  outputs: readonly (Value | null)[],
): Program | null {
  const builder = new ProgramBuilder(inputs.map(({ dtype }) => dtype));
  const slots = new Map(inputs.map(({ value }, i) => [value, i]));
  for (const [value, constant] of scalars) if (!addConstant(value, constant, builder, slots)) return null;
  for (const node of nodes) if (!addNode(node, builder, slots)) return null;
  const results = outputs.map((output) => (output === null ? undefined : slots.get(output)));
  if (results.includes(undefined)) return null;
  return { inputs: builder.inputs, steps: builder.steps, outputs: results as number[] };
}

/** True where a fused loop can hold the node, whose inputs and output have these dtypes. */
export function isFusible(node: Node, dtypeOf: (value: Value) => DataType | undefined): boolean {
  if (!RULES.has(operatorKey(node))) return false;
  const values = [...new Set(node.inputs)].filter((value) => value !== null);
  const inputs = values.map((value) => ({ value, dtype: dtypeOf(value) }));
  if (!inputs.every((input): input is { value: Value; dtype: LaneType } => isLaneType(input.dtype ?? ""))) return false;
  const program = programOf([node], inputs, [], node.outputs);
  return program !== null && node.outputs.every((output, i) => isSlotOf(program, i, output && dtypeOf(output)));
}

/** Whether a program's output has the dtype of its value, where that is known. */
export const isSlotOf = (program: Program, output: number, dtype: DataType | null | undefined): boolean =>
  dtype == null || typeOfSlot(program, program.outputs[output]!) === dtype;
