import type { Tensor } from "../tensor/index.js";
import { need } from "./infer.js";
import type { Operator } from "./operator.js";

/** Name and domain of the operator. */
export const observeName = { op: "Observe", domain: "ai.nonzero" } as const;

const observers = new Map<number, (tensor: Tensor) => void>();
let next = 1;

/**
 * Registers who is told what passes an Observe node, and gives the node's `id`. The tensor is valid during the call only: its data may
 * be a device's memory.
 */
export function addObserver(tell: (tensor: Tensor) => void): { readonly id: number; remove(): void } {
  const id = next++;
  observers.set(id, tell);
  return { id, remove: () => observers.delete(id) };
}

/**
 * ai.nonzero Observe: the identity, which tells the observer of its `id` (int attribute) what passes. It lives in graphs in memory only, and is
 * how calibration looks at activations wherever they are, bodies of If and Loop included. No device has a kernel for it.
 */
export const observe: Operator<{ readonly id: number }> = {
  name: observeName.op,
  domain: observeName.domain,
  attributes: (node) => ({ id: node.int("id") }),
  infer: (inputs) => [need(inputs, 0).type],
  evaluate(inputs, { id }) {
    const tensor = need(inputs, 0);
    observers.get(id)?.(tensor);
    return [tensor];
  },
  deterministic: false,
};
