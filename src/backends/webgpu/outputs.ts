/// <reference types="@webgpu/types" />
import type { Specialized } from "../../compiler/index.js";
import type { Value } from "../../graph/index.js";
import { NonzeroError, type Tensor } from "../../tensor/index.js";
import type { DeviceBuffer } from "./device-buffer.js";
import { bytesOf } from "./gpu-tensor.js";
import type { Layout } from "./layout.js";
import { OwnedGpuTensor } from "./owned-tensor.js";
import type { Session } from "./session.js";
import { inWords, uploadable } from "./transfer.js";

/** What a plan knows of its outputs. */
export interface OutputSource {
  readonly spec: Specialized;
  readonly layout: Layout;
  bufferOf(value: Value): DeviceBuffer;
  /** A value's elements on the host, for those that are there. */
  view(value: Value): Tensor;
}

/** Adds new memory to `room` for the outputs of one run that stay on the GPU, by their positions; what launches write is bound to it. */
export function makeRoom(
  positions: readonly number[],
  { spec, layout }: Pick<OutputSource, "spec" | "layout">,
  session: Session,
  room: Map<number, GPUBuffer>,
): void {
  for (const position of positions) {
    const value = spec.outputs[position]!;
    if (spec.types.get(value)?.dtype === "string")
      throw new NonzeroError("unsupported", "strings cannot stay on the GPU", { field: value.name });
    const buffer = session.room(bytesOf(spec.types.get(value)!));
    room.set(position, buffer);
    const lent = layout.lent.get(position);
    if (lent !== undefined) lent.gpu = buffer;
  }
}

/** Brings outputs that no launch wrote into their room: constants, feeds, aliases of another output, and what the host made. */
export function fillRoom(
  room: ReadonlyMap<number, GPUBuffer>,
  source: OutputSource,
  { device }: { readonly device: GPUDevice },
): void {
  const { spec, layout, bufferOf, view } = source;
  const encoder = device.createCommandEncoder();
  for (const [position, target] of room) {
    if (layout.lent.has(position)) continue;
    const value = spec.outputs[position]!;
    const size = inWords(bytesOf(spec.types.get(value)!));
    const from = spec.constants.has(value) ? null : bufferOf(value);
    if (size === 0) continue;
    if (from !== null && layout.outside.has(from)) encoder.copyBufferToBuffer(from.gpu!, 0, target, 0, size);
    else device.queue.writeBuffer(target, 0, uploadable(view(value).bytes()));
  }
  device.queue.submit([encoder.finish()]);
}

/** The outputs in their room, as the caller gets them. */
export const tensorsIn = (
  room: ReadonlyMap<number, GPUBuffer>,
  { outputs, types }: Specialized,
  { gpu }: Session,
): ReadonlyMap<number, OwnedGpuTensor> =>
  new Map(
    [...room].map(([position, buffer]) => {
      const { dtype, shape } = types.get(outputs[position]!)!;
      return [position, new OwnedGpuTensor(gpu, dtype, shape, buffer)];
    }),
  );
