import type { Results } from "../../compiler/index.js";
import { writeModel } from "../../formats/onnx/index.js";
import { type Constant, GraphBuilder, type Model } from "../../graph/index.js";
import { bestLayout, SparseTensor, toMatrix, type ValueDataType } from "../../layouts/index.js";
import { magnitude } from "../../prune/index.js";
import { Runner } from "../../runtime/index.js";
import { applyMask, countNonzeros, type Matrix, type Pattern, parsePattern } from "../../sparsity/index.js";
import { NonzeroError, Tensor } from "../../tensor/index.js";
import type { RunDevice } from "../device.js";
import { normal, uniform } from "../inputs.js";
import { disagreement, type Expected, expectedProduct } from "./agreement.js";
import { Disagreement, installedRivals, type Timing, threadsOf, timeInTurn } from "./lineup.js";
import { ownVersions, thisMachine } from "./machine.js";
import type { RivalSession } from "./onnxruntime.js";
import type { Contestant } from "./paired.js";
import { peakGflops } from "./peak.js";
import { type Report, ratesOf, rivalResult, timesOf } from "./result.js";

/** y [M, N] = W [M, K] · x [K, N], W sparse. */
export interface MatmulProblem {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly patterns: readonly string[];
  readonly devices: readonly RunDevice[];
  /** Default: all processors, at most 8. */
  readonly threads?: number;
  /** How kept values are stored. The dense weight is float32. */
  readonly dtype: ValueDataType;
}

const MAX_ELEMENTS = 2 ** 28;
const DENSE = "dense";

/** @throws NonzeroError "invalid-argument" for a product whose operands or result are too large. */
export function checkSize({ m, k, n }: Pick<MatmulProblem, "m" | "k" | "n">): void {
  if (Math.max(m * k, k * n, m * n) > MAX_ELEMENTS)
    throw new NonzeroError("invalid-argument", `${m}×${k} by ${k}×${n} is too large: ${MAX_ELEMENTS} elements at most`);
}

/** W under one pattern, as it is stored. */
interface PrunedWeight {
  readonly pattern: string;
  readonly layout: string;
  readonly dtype: string;
  readonly constant: Constant;
  /** Entries that the mask keeps. */
  readonly kept: number;
  /** The stored values. */
  readonly matrix: Matrix;
}

/**
 * Times one product with W dense and under each pattern, in onnxruntime too (dense), all in turn. W and x are normal; W is pruned by
 * magnitude and stored in the layout that takes the fewest bytes. On WebAssembly x and y
 * are bound, as between the layers of a model; on other devices products are written into tensors made once, as `fetches`.
 * @throws NonzeroError "invalid-argument", "aborted"; Disagreement where a result is not the product of what is stored.
 */
export async function benchMatmul(problem: MatmulProblem, timing: Timing): Promise<Report> {
  const { m, k, n, dtype } = problem;
  checkSize(problem);
  const patterns = [...new Map([DENSE, ...problem.patterns].map((text) => [text, parsePattern(text)])).values()];
  const next = uniform(1);
  const random = (rows: number, cols: number): Matrix => {
    const data = Float32Array.from({ length: rows * cols }, () => normal(next));
    return { rows, cols, data };
  };
  const [w, x] = [random(m, k), random(k, n)];
  const feeds = { x: new Tensor("float32", [k, n], x.data) };

  const runners: {
    weight: PrunedWeight;
    device: RunDevice;
    runner: Runner<Results>;
    name: string;
    run: () => unknown;
  }[] = [];
  const sessions: (RivalSession & { name: string })[] = [];
  try {
    let dense: { weight: PrunedWeight; expected: Expected } | undefined;
    for (const pattern of patterns) {
      timing.say(`pruning to ${pattern.text} and checking the product`);
      await new Promise((resolve) => setTimeout(resolve));
      if (timing.signal?.aborted) throw new NonzeroError("aborted", "stopped before anything was timed");
      const weight = prunedWeight(w, pattern, dtype);
      const expected = expectedProduct(weight.matrix, x);
      dense ??= { weight, expected };
      for (const device of problem.devices) {
        const options = problem.threads === undefined ? { device } : { device, threads: problem.threads };
        const runner = await Runner.create(modelOf(weight.constant, m, n, k), options);
        const name = `${device} ${pattern.text}`;
        const { run, result } = prepared(runner, feeds, new Tensor("float32", [m, n], new Float32Array(m * n)));
        runners.push({ weight, device, runner, name, run });
        await run();
        check(name, result(), expected);
      }
    }
    const threads = threadsOf(
      runners.map(({ runner }) => runner),
      problem.threads,
    );
    const rivals = await installedRivals(threads, timing.say);
    const file = writeModel(modelOf(dense!.weight.constant, m, n, k));
    for (const rival of rivals) {
      const session = { ...(await rival.open(file, feeds)), name: rival.name };
      sessions.push(session);
      check(rival.name, (await session.outputs()).y!, dense!.expected);
    }

    const peak = peakGflops(threads);
    const contestants: Contestant[] = [
      ...runners.map(({ name, run }) => ({ name, run })),
      ...sessions.map(({ name, run, settle }) => ({ name, run, settle })),
    ];
    const timed = await timeInTurn(contestants, timing);
    return {
      machine: { ...thisMachine(runners.map(({ runner }) => runner)), peak_gflops: Number(peak.toPrecision(5)) },
      versions: { ...ownVersions(), ...Object.fromEntries(rivals.map(({ name, version }) => [name, version])) },
      results: runners.map(({ weight, device, runner, name }) => {
        const times = timesOf(timed(name)!, {
          dense: timed(`${device} ${DENSE}`),
          "onnxruntime-web": timed("onnxruntime-web"),
          "onnxruntime-node": timed("onnxruntime-node"),
        });
        const { pattern, layout, dtype } = weight;
        const share = device === "webgpu" ? null : (peak * runner.threads) / threads;
        const rates = ratesOf(2 * weight.kept * n, times, share);
        return { pattern, layout, device, threads: runner.threads, dtype, ...times, ...rates };
      }),
      rivals: rivals.map(({ name }) => rivalResult(name, threads, timed(name)!)),
    };
  } finally {
    for (const { runner } of runners) runner.release();
    for (const session of sessions) await session.release();
  }
}

/** What is timed: on WebAssembly with x and y bound, elsewhere with y written into the tensor given for it. */
function prepared(runner: Runner<Results>, feeds: { readonly x: Tensor }, y: Tensor) {
  if (runner.device !== "wasm") return { run: () => runner.run(feeds, { y }), result: () => y };
  const binding = runner.ioBinding(feeds);
  (binding.inputs.x!.data as Float32Array).set(feeds.x.data as Float32Array);
  return { run: () => binding.run(), result: () => binding.outputs.y! };
}

function check(name: string, y: Tensor, expected: Expected): void {
  const difference = disagreement(y, expected);
  if (difference !== null) throw new Disagreement(`${name}: ${difference}`);
}

function prunedWeight(w: Matrix, pattern: Pattern, values: ValueDataType): PrunedWeight {
  const mask = pattern.select(magnitude(w));
  const shape = [w.rows, w.cols];
  const layout = pattern.kind === DENSE ? null : bestLayout(mask, pattern, values);
  const kept = countNonzeros(mask);
  if (layout === null) {
    const matrix = applyMask(w, mask);
    const constant = new Tensor("float32", shape, matrix.data);
    return { pattern: pattern.text, layout: DENSE, dtype: "float32", constant, kept, matrix };
  }
  const constant = new SparseTensor(shape, [0, 1], layout.encode(w, mask, { values }));
  const matrix = toMatrix(constant.toDense(), [0, 1]);
  return { pattern: pattern.text, layout: layout.text, dtype: values, constant, kept, matrix };
}

function modelOf(weight: Constant, m: number, n: number, k: number): Model {
  const b = new GraphBuilder("matmul");
  const y = b.add("MatMul", [b.constant(weight, "w"), b.input("x", "float32", [k, n])]);
  y.type = { dtype: "float32", shape: [m, n] };
  b.output(y, "y");
  return {
    graph: b.build(),
    opsets: new Map([["", 21]]),
    irVersion: 10,
    producer: "nonzero bench",
    metadata: new Map(),
  };
}
