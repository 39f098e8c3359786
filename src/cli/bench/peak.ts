import { peakMultiplyAdds } from "../../backends/wasm/probe/index.js";

/**
 * What WebAssembly's float32 multiply-adds make here at best, in GFLOP/s over `threads` threads (a multiply-add is two): what
 * `nonzero machine` shows, measured anew.
 */
export const peakGflops = (threads: number): number => (2 * peakMultiplyAdds(threads)) / 1e9;
