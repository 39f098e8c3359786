/// <reference types="@webgpu/types" />
import { NonzeroError } from "../../tensor/index.js";
import { paddedBytes } from "./device-buffer.js";
import { type Gpu, USAGE } from "./gpu.js";
import { bytesOf, type GpuTensor, ownerOf, setOwner } from "./gpu-tensor.js";
import type { Session } from "./session.js";
import { copyElements, inWords } from "./transfer.js";
import { input, shader, wgsl } from "./wgsl/index.js";

/** Reads a buffer: what every GPU refuses unless the buffer is its own and was not destroyed. */
const READER = shader({
  key: "feeds/read",
  workgroup: [1],
  bindings: { x: input("u32") },
  body: ({ x }) => wgsl`_ = ${x.at("0u")};`,
});

/**
 * Checks what WebGPU does not say by itself, or says late and without the input's name. `copied` is why the elements have to be copied; null
 * where they are only bound.
 * @throws NonzeroError "shape" for a buffer that is too small; "invalid-argument" for one without the usage STORAGE (or, where it is
 * copied, COPY_SRC), of another device, mapped or destroyed.
 */
export async function checkGpuFeed(gpu: Gpu, feed: GpuTensor, copied: string | null): Promise<void> {
  const { dtype, shape, gpuBuffer } = feed;
  const refuse = (reason: string): never => {
    throw new NonzeroError("invalid-argument", reason);
  };
  if (typeof gpuBuffer?.size !== "number" || typeof gpuBuffer.usage !== "number") refuse("there is no GPUBuffer");
  if (dtype === "string") refuse("strings cannot be in a GPUBuffer");
  const needed = inWords(bytesOf(feed));
  if (gpuBuffer.size < needed) {
    throw new NonzeroError("shape", `${dtype}[${shape}] takes ${needed} bytes, its GPUBuffer has ${gpuBuffer.size}`);
  }
  if (!(gpuBuffer.usage & USAGE.storage)) refuse("the GPUBuffer has no usage STORAGE");
  if (copied !== null && needed > 0 && !(gpuBuffer.usage & USAGE.copySource))
    refuse(`the GPUBuffer ${copied}, and has no usage COPY_SRC`);
  if (gpuBuffer.mapState === "mapped") refuse("the GPUBuffer is mapped");
  const owner = ownerOf(gpuBuffer);
  if (owner !== undefined && owner !== gpu.device) refuse(FOREIGN);
  if (owner !== undefined || gpuBuffer.size < 4) return;
  const fault = await faultOf(gpu, gpuBuffer);
  if (fault !== null) refuse(fault);
  setOwner(gpuBuffer, gpu.device);
}

/**
 * The feed's own buffer, where kernels can read it up to a multiple of 16 bytes; else a copy of it, which is added to `temporary`.
 * `copied` is as in `checkGpuFeed`.
 */
export async function boundBuffer(
  session: Session,
  feed: GpuTensor,
  copied: string | null,
  temporary: GPUBuffer[],
): Promise<GPUBuffer> {
  const { gpu } = session;
  const bytes = bytesOf(feed);
  const short = feed.gpuBuffer.size < paddedBytes(bytes);
  await checkGpuFeed(gpu, feed, copied ?? (short ? "does not reach to a multiple of 16 bytes" : null));
  if (!short) return feed.gpuBuffer;
  const { result, taken } = gpu.watch("copying a feed", () => {
    const copy = session.room(bytes);
    const encoder = gpu.device.createCommandEncoder();
    copyElements(encoder, feed, copy);
    gpu.device.queue.submit([encoder.finish()]);
    return copy;
  });
  temporary.push(result);
  await taken;
  return result;
}

const FOREIGN = "the GPUBuffer is of another GPUDevice than the model runs on";

/** Why the device cannot read the buffer; null where it can. */
export async function faultOf(gpu: Gpu, buffer: GPUBuffer): Promise<string | null> {
  const { device } = gpu;
  const pipeline = await gpu.pipelines.get(READER);
  const { result: group, taken: bound } = gpu.watch("looking at a buffer", () =>
    device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [{ binding: 0, resource: { buffer, size: 4 } }],
    }),
  );
  if (await fails(gpu, bound)) return FOREIGN;
  const { taken: read } = gpu.watch("looking at a buffer", () => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(1);
    pass.end();
    device.queue.submit([encoder.finish()]);
  });
  return (await fails(gpu, read)) ? "the GPUBuffer was destroyed" : null;
}

/** Whether the GPU found a mistake. @throws NonzeroError "device" where it is lost. */
const fails = (gpu: Gpu, taken: Promise<void>): Promise<boolean> =>
  taken.then(
    () => false,
    () => {
      gpu.check();
      return true;
    },
  );
