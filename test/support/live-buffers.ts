/// <reference types="@webgpu/types" />

/** The buffers of a device that were made since and not destroyed. `stop` makes the device as it was. */
export function liveBuffers(device: GPUDevice): { readonly live: ReadonlySet<GPUBuffer>; stop(): void } {
  const live = new Set<GPUBuffer>();
  const create = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    const buffer = create(descriptor);
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      live.delete(buffer);
      return destroy();
    };
    live.add(buffer);
    return buffer;
  };
  return {
    live,
    stop() {
      device.createBuffer = create;
    },
  };
}
