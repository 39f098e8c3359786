export { calibrate, type Measured, measureSample } from "./calibrate.js";
export { type MachineOptions, probeMachine } from "./machine.js";
export { type ProbeOptions, probePeaks } from "./peaks.js";
export { convolution, product, type Sample, weightOf } from "./samples.js";
