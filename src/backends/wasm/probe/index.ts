export { calibrate, type Measured, measureSample } from "./calibrate.js";
export { type MachineOptions, probeMachine } from "./machine.js";
export { type ProbeOptions, peakMultiplyAdds, probePeaks } from "./peaks.js";
export { convolution, product, productWith, type Sample, weightOf } from "./samples.js";
