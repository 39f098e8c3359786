import { limitOf, type Machine, predictTime } from "../../backends/roofline/index.js";
import { detectDevice, Session } from "../../backends/wasm/index.js";
import { measureSample, product } from "../../backends/wasm/probe/index.js";
import { Executor, optimize } from "../../compiler/index.js";
import type { Model } from "../../graph/index.js";
import { predict } from "../../runtime/predict.js";
import { parsePattern } from "../../sparsity/index.js";
import { locate, NonzeroError, type Tensor } from "../../tensor/index.js";
import { type Column, count, milliseconds, percent, table } from "../output.js";
import { checkSize } from "./matmul.js";
import { median } from "./statistics.js";

/** A kernel under the roofline. Times in milliseconds. */
export interface RooflineRow {
  readonly name: string;
  readonly op: string;
  readonly kernel: string;
  readonly multiply_adds: number | null;
  readonly bytes: number | null;
  /** Multiply-adds a byte. */
  readonly intensity: number | null;
  readonly median_ms: number;
  /** What the machine's peaks allow at best, and what the cost model expects. */
  readonly limit_ms: number | null;
  readonly predicted_ms: number | null;
  /** limit / measured. */
  readonly share_of_limit: number | null;
  /** `compute`, `L2`, `memory`, `overhead`, …: what holds it back. */
  readonly bound: string;
}

export interface Rounds {
  readonly seconds: number;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

const WARM_UPS = 5;
const LEAST_ROUNDS = 5;

/** The steps of a model, each timed by itself. @throws NonzeroError as reading and running do, "aborted". */
export async function modelRoofline(
  model: Model,
  feeds: Readonly<Record<string, Tensor>>,
  machine: Machine,
  { seconds, signal, say }: Rounds,
): Promise<RooflineRow[]> {
  const { steps } = predict(model, { machine, patterns: [], feeds });
  const open = model.graph.inputs.filter((input) => !model.graph.constants.has(input));
  const session = new Session(detectDevice(machine.threads));
  const executor = new Executor(optimize({ ...model.graph, inputs: open }), session);
  const tensors = open.map(({ name }) => feeds[name]!);
  const rounds: number[][] = [];
  try {
    say("generating kernels");
    for (let i = 0; i < WARM_UPS; i++) {
      executor.profile(tensors);
      await breath(signal);
    }
    say("timing each step");
    const start = performance.now();
    while (rounds.length < LEAST_ROUNDS || performance.now() - start < 1000 * seconds) {
      rounds.push(executor.profile(tensors).map((step) => step.milliseconds));
      await breath(signal, rounds.length);
      if (signal.aborted) break;
    }
  } finally {
    executor.release();
    session.release();
  }
  return steps.map((step, i): RooflineRow => {
    const median_ms = median(rounds.map((round) => round[i]!));
    const { name, op, kernel, cost } = step;
    const line = { name, op, kernel, median_ms };
    if (cost === null) {
      const unknown = { multiply_adds: null, bytes: null, intensity: null, limit_ms: null, predicted_ms: null };
      return { ...line, ...unknown, share_of_limit: null, bound: "the host evaluates it" };
    }
    return {
      ...line,
      ...{ multiply_adds: cost.multiplyAdds, bytes: cost.bytes, intensity: finite(step.intensity) },
      ...timesOf(step.limit, step.seconds, median_ms),
      bound: step.bound,
    };
  });
}

export interface ProductsProblem {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly patterns: readonly string[];
}

/**
 * Products x [n, k] · Wᵀ, W [m, k] dense and under each pattern, its data in the smallest cache that holds it.
 * @throws NonzeroError "invalid-argument" for a pattern or a shape that is too large, "unsupported" for a GPU, "aborted".
 */
export async function productsRoofline(
  { m, k, n, patterns }: ProductsProblem,
  machine: Machine,
  { seconds, signal, say }: Rounds,
): Promise<RooflineRow[]> {
  if (machine.device !== "wasm")
    throw new NonzeroError("unsupported", "products are timed on WebAssembly alone", { field: "machine" });
  checkSize({ m, k, n });
  const texts = locate({ field: "--pattern" }, () => patterns.map((text) => parsePattern(text).text));
  const rows: RooflineRow[] = [];
  for (const pattern of new Set(["dense", ...texts])) {
    say(`timing ${pattern}`);
    await breath(signal, rows.length);
    if (signal.aborted) break;
    const measured = await measureSample(product(m, k, n, pattern), machine.threads, 1000 * seconds);
    const { kernel, cost } = measured.step;
    const { seconds: limit, intensity } = limitOf(cost, machine, cost.bytes);
    const expected = predictTime(kernel, cost, machine, cost.bytes);
    const median_ms = 1000 * measured.seconds;
    rows.push({
      ...{ name: pattern, op: "MatMul", kernel, multiply_adds: cost.multiplyAdds, bytes: cost.bytes, median_ms },
      ...{ intensity: finite(intensity), ...timesOf(limit, expected.seconds, median_ms), bound: expected.bound },
    });
  }
  return rows;
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
const timesOf = (limit: number, expected: number, median_ms: number) => ({
  limit_ms: 1000 * limit,
  predicted_ms: 1000 * expected,
  share_of_limit: median_ms === 0 ? null : (1000 * limit) / median_ms,
});

/** Lets signals come in. @throws NonzeroError "aborted" where nothing is there to be shown yet. */
async function breath(signal: AbortSignal, done = 0): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
  if (signal.aborted && done === 0) throw new NonzeroError("aborted", "stopped before anything was timed");
}

const right = (title: string): Column => ({ title, align: "right" });
const COLUMNS: readonly Column[] = [
  ...[{ title: "node" }, right("count"), { title: "kernel" }, right("multiply-adds"), right("bytes"), right("a byte")],
  ...[right("median"), right("limit"), right("of limit"), right("predicted"), { title: "bound by" }],
];
const time = (value: number): string => (value < 0.1 ? `${(1000 * value).toPrecision(3)} µs` : milliseconds(value));
const ms = (value: number | null): string => (value === null ? "-" : time(value));
const number = (value: number | null): string => (value === null ? "-" : count(value));

/** Rows that ask for the same of one kernel, which a model repeats, as the first of them with the median of their times; and how many they are. */
function alike(rows: readonly RooflineRow[]): [RooflineRow, number][] {
  const groups = new Map<string, RooflineRow[]>();
  for (const row of rows) {
    const key = [row.op, row.kernel, row.multiply_adds, row.bytes].join("/");
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].map((group) => {
    const median_ms = median(group.map((row) => row.median_ms));
    const share_of_limit = median_ms === 0 || group[0]!.limit_ms === null ? null : group[0]!.limit_ms / median_ms;
    return [{ ...group[0]!, median_ms, share_of_limit }, group.length];
  });
}

/** The rows as a table, those of a model that are alike in one; `summed`: with a line for all of them. */
export function rooflineTable(rows: readonly RooflineRow[], summed: boolean): string {
  const sum = (of: (row: RooflineRow) => number | null): number => rows.reduce((all, row) => all + (of(row) ?? 0), 0);
  const total = sum((row) => row.median_ms);
  const lines = alike(rows).map(([row, alikes]) => [
    ...[
      row.name,
      `${alikes}`,
      row.kernel,
      number(row.multiply_adds),
      number(row.bytes),
      row.intensity?.toFixed(1) ?? "-",
    ],
    ...[time(row.median_ms), ms(row.limit_ms)],
    ...[row.share_of_limit === null ? "-" : percent(row.share_of_limit, 0), ms(row.predicted_ms), row.bound],
  ]);
  const limit = sum((row) => row.limit_ms);
  const whole = [
    ...["all", `${rows.length}`, "", count(sum((row) => row.multiply_adds)), count(sum((row) => row.bytes)), ""],
    ...[milliseconds(total), milliseconds(limit), percent(limit / total, 0), ms(sum((row) => row.predicted_ms)), ""],
  ];
  return table(COLUMNS, summed ? [...lines, whole] : lines);
}
