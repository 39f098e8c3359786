/**
 * Nonzero's front door: run ONNX models, sparse ones by their nonzeros, with onnxruntime's API. In Node this is `node.ts`; pages get it bare.
 * The rest is in subpaths: `nonzero/prune`, `nonzero/quantize`, `nonzero/onnx`, `nonzero/sparsity`, `nonzero/layouts`, `nonzero/predict`, `nonzero/graph`, `nonzero/ops`, `nonzero/tensor`.
 */
export {
  type CompileOptions,
  type CompileProgress,
  DEVICES,
  type DeviceName,
  EXECUTION_PROVIDER,
  env,
  type GpuTensor,
  InferenceSession,
  type IoBinding,
  loadModel,
  type NonzeroExecutionProvider,
  nonzeroBackend,
  type OutputLocation,
  type OutputLocations,
  type OwnedGpuTensor,
  Runner,
  type RunnerOptions,
  registerNonzero,
  type SessionOptions,
  Tensor,
  type TuneAtCreation,
  type TuneOptions,
  type TuneProgress,
  type TuneReport,
  type TuneResult,
  type TuningCache,
} from "./runtime/index.js";
export { type ErrorCode, NonzeroError } from "./tensor/index.js";
