import { type LrnSpec, localResponseCost, localResponseSpec } from "../../../specs/normalize/local-response.js";
import { f32x4, i32, v128 } from "../../asm/index.js";
import { anyKernel, floatArgument, type Kernel, type KernelCode, kernelFunction } from "../../kernel.js";
import { exp, log, madd } from "../../math.js";
import { BLOCK, eachBlock, storeBlock } from "../lines.js";
import { perChunk } from "../rows.js";

/** ONNX LRN of float32: each element by the squares of its neighbours in channels. */
const localResponse: Kernel<LrnSpec, null> = {
  name: "local response normalization",
  match: localResponseSpec,
  schedules: () => [null],
  lower({ batch, channels, plane, alpha, beta, bias, size }, _, node, to) {
    const before = Math.floor((size - 1) / 2);
    const after = Math.ceil((size - 1) / 2);
    const outer = batch * channels;
    const blocks = outer * Math.ceil(plane / BLOCK);
    const each = perChunk(size * BLOCK * 4);
    const numbers = [alpha / size, -beta, bias].map(floatArgument);
    const args = [to.buffer(node.outputs[0]!), to.buffer(node.inputs[0]!), outer, each, plane, channels, before, after];
    to.launch(localResponseCode, [...args, ...numbers], Math.ceil(blocks / each));
  },
  cost: localResponseCost,
};

/** Arguments: y, x, planes, blocks per chunk, plane, channels, neighbours before and after, then as floats alpha / size, -beta, bias. */
const localResponseCode: KernelCode = {
  key: "normalize/local-response",
  build: (device) =>
    kernelFunction(8, (f, { chunk }, [y, x, outer, each, plane, channels, before, after], args) => {
      const stride = f.local("i32", i32.shl(plane!, 2));
      const [alpha, minusBeta, bias] = [8, 9, 10].map((i) => f.local("v128", v128.load32_splat(args, 4 * i)));
      const at = f.local("i32");
      const from = f.local("i32");
      const to = f.local("i32");
      eachBlock(f, chunk, { outer: outer!, inner: plane!, each: each! }, (vectors, o, column, some) => {
        f.set(at, i32.shl(i32.add(i32.mul(o, plane!), column), 2));
        const channel = f.local("i32", i32.rem_u(o, channels!));
        const first = f.local("i32", i32.sub(channel, before!));
        f.set(first, i32.max_s(first, 0));
        const last = f.local("i32", i32.add(channel, i32.add(after!, 1)));
        f.set(last, i32.min_s(last, channels!));
        const sums = Array.from({ length: vectors }, () => f.local("v128", f32x4.const(0)));
        const lanes = f.local("v128");
        f.set(from, i32.add(i32.add(x!, at), i32.mul(i32.sub(first, channel), stride)));
        f.for(first, last, 1, () => {
          sums.forEach((sum, k) => {
            f.set(lanes, v128.load(from, 16 * k));
            f.set(sum, madd(lanes, lanes, sum, device));
          });
          f.increment(from, stride);
        });
        f.set(from, i32.add(x!, at));
        f.set(to, i32.add(y!, at));
        sums.forEach((sum, k) => {
          f.set(sum, f32x4.mul(minusBeta!, log(f, madd(sum, alpha!, bias!, device), device)));
          f.set(sum, f32x4.mul(v128.load(from, 16 * k), exp(f, sum, device)));
        });
        storeBlock(f, to, sums, some);
        f.free(channel, first, last, lanes, ...sums);
      });
    }),
};

export const localResponseKernel: Kernel = anyKernel(localResponse);
