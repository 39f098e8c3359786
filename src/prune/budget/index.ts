export { type Allocation, allocate, type Budget } from "./allocate.js";
export { type OwlLayer, type OwlOptions, outlierRatio, owlSparsities } from "./owl.js";
export { type SensitivityOptions, sensitivity, type Trial } from "./sensitivity.js";
