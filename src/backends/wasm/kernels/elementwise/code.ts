import { bytesOf } from "../../../specs/elementwise/lanes.js";
import { type Program, programText } from "../../../specs/elementwise/program.js";
import { type Func, i32, type Local, type V128 } from "../../asm/index.js";
import { type DeviceInfo, type KernelCode, kernelFunction } from "../../kernel.js";
import { forRows } from "../rows.js";
import { loadLanes, partsOf, splatLanes, storeLanes, storeSome } from "./lanes.js";
import { emitStep, isLight } from "./operations.js";

/** How an input varies along the innermost axis: element by element, or not at all. */
export type Access = "vector" | "scalar";

/** Four elements of every input: the lanes of every slot, in locals. */
type Slots = (readonly Local<"v128">[])[];

/** Evaluates the program's steps after its inputs' lanes; frees what no later step reads. */
function evaluate(f: Func, device: DeviceInfo, program: Program, inputs: Slots): { slots: Slots; free(): void } {
  const slots = [...inputs];
  const lastUse = new Map<number, number>();
  program.steps.forEach(({ args }, i) => {
    for (const slot of args) lastUse.set(slot, i);
  });
  for (const slot of program.outputs) lastUse.set(slot, program.steps.length);
  const held = new Set<number>();
  const dtype = (slot: number) => program.inputs[slot] ?? program.steps[slot - program.inputs.length]!.dtype;
  program.steps.forEach((step, i) => {
    const lanes = emitStep(
      f,
      device,
      step,
      step.args.map((slot) => slots[slot]!),
      step.args.map(dtype),
    );
    slots.push(hold(f, lanes));
    held.add(slots.length - 1);
    for (const slot of held) {
      if ((lastUse.get(slot) ?? -1) > i) continue;
      f.free(...slots[slot]!);
      held.delete(slot);
    }
  });
  return { slots, free: () => held.forEach((slot) => f.free(...slots[slot]!)) };
}

/** Values into locals of their own. */
function hold(f: Func, lanes: readonly V128[]): Local<"v128">[] {
  const locals = f.localArray("v128", lanes.length);
  lanes.forEach((part, i) => {
    f.set(locals[i]!, part);
  });
  return locals;
}

/** The loop over `count` elements from `pointers` (inputs, then outputs) on, which it advances. `exact`: nothing beyond is written. */
function emitLoop(
  f: Func,
  device: DeviceInfo,
  program: Program,
  access: readonly Access[],
  pointers: readonly Local<"i32">[],
  count: Local<"i32">,
  exact: boolean,
): void {
  const outputTypes = program.outputs.map(
    (slot) => program.inputs[slot] ?? program.steps[slot - program.inputs.length]!.dtype,
  );
  const sources = pointers.slice(0, program.inputs.length);
  const targets = pointers.slice(program.inputs.length);
  const scalars = sources.map((pointer, i) =>
    access[i] === "scalar" ? hold(f, splatLanes(program.inputs[i]!, pointer)) : null,
  );
  /** `offset` in elements. */
  const compute = (offset: number, use: (slots: Slots) => void): void => {
    const inputs = program.inputs.map(
      (dtype, i) => scalars[i] ?? hold(f, loadLanes(dtype, sources[i]!, offset * bytesOf(dtype))),
    );
    const { slots, free } = evaluate(f, device, program, inputs);
    use(slots);
    free();
    inputs.forEach((lanes, i) => {
      if (scalars[i] === null) f.free(...lanes);
    });
  };
  const whole = (offset: number): void =>
    compute(offset, (slots) => {
      program.outputs.forEach((slot, o) => {
        storeLanes(f, outputTypes[o]!, targets[o]!, slots[slot]!, offset * bytesOf(outputTypes[o]!));
      });
    });
  const advance = (elements: number): void => {
    sources.forEach((pointer, i) => {
      if (access[i] === "vector") f.increment(pointer, elements * bytesOf(program.inputs[i]!));
    });
    targets.forEach((pointer, o) => {
      f.increment(pointer, elements * bytesOf(outputTypes[o]!));
    });
  };
  const left = f.local("i32", count);
  const unroll = program.steps.every(isLight) && program.steps.length <= 8 ? 4 : 1;
  const steps = unroll > 1 ? [4 * unroll, 4] : [4];
  for (const step of steps) {
    const least = step === 4 && !exact ? 1 : step;
    f.if(i32.ge_s(left, least), () =>
      f.doWhile(
        () => {
          for (let offset = 0; offset < step; offset += 4) whole(offset);
          advance(step);
          f.increment(left, -step);
        },
        () => i32.ge_s(left, least),
      ),
    );
  }
  if (exact) {
    f.if(i32.gt_s(left, 0), () =>
      compute(0, (slots) => {
        program.outputs.forEach((slot, o) => {
          const lanes = f.localArray("v128", partsOf(outputTypes[o]!));
          lanes.forEach((lane, i) => {
            f.set(lane, slots[slot]![i]!);
          });
          storeSome(f, outputTypes[o]!, targets[o]!, lanes, left);
          f.free(...lanes);
        });
      }),
    );
  }
  f.free(left);
  for (const lanes of scalars) if (lanes !== null) f.free(...lanes);
}

/**
 * All tensors contiguous or scalar: chunks of elements. Writes up to three elements beyond the end, which buffers have room for.
 * Arguments: elements, elements per chunk (a multiple of 4), pointers to the inputs and the outputs.
 */
export function flatCode(program: Program, access: readonly Access[]): KernelCode {
  const tensors = program.inputs.length + program.outputs.length;
  return {
    key: `elementwise/flat/${access.join()}/${programText(program)}`,
    build: (device) =>
      kernelFunction(2 + tensors, (f, { chunk }, [total, each, ...pointers]) => {
        const begin = f.local("i32", i32.mul(chunk, each!));
        const rest = f.local("i32", i32.sub(total!, begin));
        const count = f.local("i32", i32.min_s(rest, each!));
        const types = outputAndInputTypes(program);
        pointers.forEach((pointer, i) => {
          if (access[i] !== "scalar") f.increment(pointer, i32.mul(begin, bytesOf(types[i]!)));
        });
        emitLoop(f, device, program, access, pointers, count, false);
      }),
  };
}

/** Inputs that repeat along some axes: row by row. Arguments: those of `forRows`, inputs before outputs. */
export function rowCode(program: Program, access: readonly Access[], rank: number): KernelCode {
  const tensors = program.inputs.length + program.outputs.length;
  return {
    key: `elementwise/rows${rank}/${access.join()}/${programText(program)}`,
    build: (device) =>
      kernelFunction(0, (f, { chunk }, _, pointer) => {
        forRows(f, chunk, pointer, { rank, tensors }, (pointers, inner) => {
          emitLoop(f, device, program, access, pointers, inner, true);
        });
      }),
  };
}

const outputAndInputTypes = ({ inputs, steps, outputs }: Program) => [
  ...inputs,
  ...outputs.map((slot) => inputs[slot] ?? steps[slot - inputs.length]!.dtype),
];
