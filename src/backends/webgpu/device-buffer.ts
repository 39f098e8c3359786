/// <reference types="@webgpu/types" />
import type { Buffer } from "./kernel.js";

/** A `Buffer` of kernels: its memory is known from the start for constants, and for the rest when the plan is laid out. */
export interface DeviceBuffer extends Buffer {
  gpu: GPUBuffer | null;
}

/** Bytes of the memory behind a buffer of `bytes`: see `Buffer`. */
export const paddedBytes = (bytes: number): number => Math.max(16, Math.ceil(bytes / 16) * 16);
