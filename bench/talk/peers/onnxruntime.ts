import { loadRival, type RivalName } from "../../../src/cli/bench/onnxruntime.js";
import { writeModel } from "../../../src/formats/onnx/index.js";
import { linearModel } from "../linear-model.js";
import type { Peer } from "./peer.js";

/** onnxruntime-web (WebAssembly) or -node (native): W as the constant right operand of a MatMul, which is the form that it packs when it loads. */
export async function onnxruntime(name: RivalName, threads: number): Promise<Peer | null> {
  const rival = await loadRival(name, threads);
  if (rival === null) return null;
  return {
    name,
    version: rival.version,
    threads,
    async product(x, weights) {
      const session = await rival.open(writeModel(linearModel(weights, x.shape[0]!)), { x });
      return {
        run: session.run,
        settle: session.settle,
        output: async () => (await session.outputs()).y0!,
        release: session.release,
      };
    },
  };
}
