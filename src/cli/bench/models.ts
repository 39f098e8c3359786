import type { Results } from "../../compiler/index.js";
import { writeModel } from "../../formats/onnx/index.js";
import { readModelFile } from "../../formats/onnx/node.js";
import type { Constant, Model, Value } from "../../graph/index.js";
import { SparseTensor, toMatrix } from "../../layouts/index.js";
import { replaceConstants, weightsOf } from "../../prune/index.js";
import { Runner } from "../../runtime/index.js";
import { maskOf, tightestPattern } from "../../sparsity/index.js";
import type { Tensor } from "../../tensor/index.js";
import type { RunDevice } from "../device.js";
import { feedsFor, type InputOptions } from "../inputs.js";
import { outputsDiffer } from "./agreement.js";
import { Disagreement, installedRivals, type Timing, threadsOf, timeInTurn } from "./lineup.js";
import { ownVersions, thisMachine } from "./machine.js";
import type { Rival, RivalSession } from "./onnxruntime.js";
import type { Contestant } from "./paired.js";
import { type Report, type Result, type RivalResult, rivalResult, timesOf } from "./result.js";

export interface ModelsProblem extends InputOptions {
  readonly files: readonly string[];
  readonly devices: readonly RunDevice[];
  /** Default: all processors, at most 8. */
  readonly threads?: number;
}

export interface ModelResult extends Result {
  readonly model: string;
}

export interface ModelsReport extends Report<ModelResult> {
  readonly rivals: readonly (RivalResult & { readonly model: string })[];
}

/** A model, itself and with its sparse weights dense: the same function. */
interface Entry {
  readonly file: string;
  readonly model: Model;
  readonly feeds: Readonly<Record<string, Tensor>>;
  /** Sparse weights, in the order of the file. */
  readonly sparse: ReadonlyMap<Value, SparseTensor>;
}

interface OurContestant extends Contestant {
  readonly entry: Entry;
  readonly device: RunDevice;
  readonly dense: boolean;
  readonly runner: Runner<Results>;
}

interface RivalContestant extends Contestant {
  readonly entry: Entry;
  readonly rival: Rival;
  readonly session: RivalSession;
}

/**
 * Times each model, in Nonzero as it is and with its sparse weights dense, and in onnxruntime (dense, the zeros explicit), all in turn on the
 * same inputs.
 * @throws NonzeroError as reading and running do, "aborted"; Disagreement where two of them give other outputs.
 */
export async function benchModels(problem: ModelsProblem, timing: Timing): Promise<ModelsReport> {
  const ours: OurContestant[] = [];
  const theirs: RivalContestant[] = [];
  try {
    let rivals: Rival[] | undefined;
    let threads = 1;
    for (const file of problem.files) {
      timing.say(`preparing ${file}`);
      const entry = readEntry(file, problem);
      const variants = await contestantsOf(entry, problem);
      ours.push(...variants);
      const outputs: Outputs[] = [];
      for (const { runner } of variants) outputs.push(await runner.run(entry.feeds));
      outputs.forEach((output, i) => check(variants[i]!.name, output, variants[0]!.name, outputs[0]!));
      threads = threadsOf(
        ours.map(({ runner }) => runner),
        problem.threads,
      );
      rivals ??= await installedRivals(threads, timing.say);
      const standard = rivals.length === 0 ? undefined : writeModel(entry.model, { sparse: "dense" });
      for (const rival of rivals) {
        const session = await opened(rival, standard!, entry, timing.say);
        if (session === null) continue;
        theirs.push({ name: `${rival.name} ${file}`, run: session.run, settle: session.settle, entry, rival, session });
        check(variants[0]!.name, outputs[0]!, rival.name, await session.outputs());
      }
    }
    const timed = await timeInTurn([...ours, ...theirs], timing);
    return {
      machine: { ...thisMachine(ours.map(({ runner }) => runner)), peak_gflops: null },
      versions: { ...ownVersions(), ...Object.fromEntries((rivals ?? []).map((r) => [r.name, r.version])) },
      results: ours
        .filter(({ dense, entry }) => !dense || entry.sparse.size === 0)
        .map((contestant): ModelResult => {
          const { entry, device, runner, name } = contestant;
          const rivalTimes = (wanted: Rival["name"]) => timed(`${wanted} ${entry.file}`);
          const times = timesOf(timed(name)!, {
            dense: timed(ours.find((o) => o.entry === entry && o.device === device && o.dense)!.name),
            "onnxruntime-web": rivalTimes("onnxruntime-web"),
            "onnxruntime-node": rivalTimes("onnxruntime-node"),
          });
          const unknown = { kept_gflops: null, share_of_peak: null };
          return { model: entry.file, ...storage(entry), device, threads: runner.threads, ...times, ...unknown };
        }),
      rivals: theirs.map(({ name, rival, entry }) => ({
        model: entry.file,
        ...rivalResult(rival.name, threads, timed(name)!),
      })),
    };
  } finally {
    for (const { runner } of ours) runner.release();
    for (const { session } of theirs) await session.release();
  }
}

function readEntry(file: string, problem: ModelsProblem): Entry {
  const model = readModelFile(file);
  const sparse = new Map<Value, SparseTensor>();
  for (const { value, constant } of weightsOf(model)) if (constant instanceof SparseTensor) sparse.set(value, constant);
  const inputs = model.graph.inputs.filter((input) => !model.graph.constants.has(input));
  return { file, model, sparse, feeds: feedsFor(inputs, problem) };
}

async function contestantsOf(entry: Entry, { devices, threads }: ModelsProblem): Promise<OurContestant[]> {
  const unpacked = new Map<Value, Constant>([...entry.sparse].map(([value, weight]) => [value, weight.toDense()]));
  const forms = [
    ...(entry.sparse.size > 0 ? [{ dense: false, model: entry.model }] : []),
    { dense: true, model: replaceConstants(entry.model, unpacked) },
  ];
  const contestants = devices.flatMap((device) =>
    forms.map(async ({ dense, model }): Promise<OurContestant> => {
      const runner = await Runner.create(model, threads === undefined ? { device } : { device, threads });
      const name = `${device} ${entry.file}${dense && entry.sparse.size > 0 ? ", dense" : ""}`;
      return { name, entry, device, dense, runner, run: () => runner.run(entry.feeds) };
    }),
  );
  return Promise.all(contestants);
}

/** A session, or null for a model that the runtime refuses: said, and left out. */
async function opened(
  rival: Rival,
  model: Uint8Array,
  { file, feeds }: Entry,
  say: Timing["say"],
): Promise<RivalSession | null> {
  try {
    return await rival.open(model, feeds);
  } catch (error) {
    say(`${rival.name} does not take ${file}: ${(error as Error).message}`);
    return null;
  }
}

type Outputs = Readonly<Record<string, Tensor>>;

function check(nameA: string, a: Outputs, nameB: string, b: Outputs): void {
  const difference = outputsDiffer(a, b);
  if (difference !== null) throw new Disagreement(`${nameA} and ${nameB}: ${difference}`);
}

/** How the sparse weights are stored, where all are stored alike; `mixed` otherwise. */
function storage({ sparse }: Entry): Pick<Result, "pattern" | "layout" | "dtype"> {
  if (sparse.size === 0) return { pattern: "dense", layout: "dense", dtype: "float32" };
  const common = (of: (weight: SparseTensor) => string): string => {
    const all = new Set([...sparse.values()].map(of));
    return all.size === 1 ? [...all][0]! : "mixed";
  };
  return {
    pattern: common((weight) => tightestPattern(maskOf(toMatrix(weight.toDense(), weight.perm))).text),
    layout: common(({ stored }) => stored.layout),
    dtype: common(({ stored }) => stored.parts.values!.dtype),
  };
}
