export { detectDevice, identityOf } from "./device.js";
export { hasRelaxedSimd, hasSharedMemory } from "./features.js";
export { type Host, setHost } from "./host.js";
export type * from "./kernel.js";
export { loadKernelsFor } from "./kernels/on-demand.js";
export { Session } from "./session.js";
export { terminateWorkers } from "./threads.js";
