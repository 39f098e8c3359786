/**
 * What sparsity would bring to a model on a machine, before anyone prunes it: `nonzero/predict`. docs/performance.md says what predictions
 * are made of.
 */
export { type Machine, machineFrom } from "./backends/roofline/index.js";
export { type MachineRequest, thisMachine } from "./runtime/machine.js";
export * from "./runtime/predict.js";
