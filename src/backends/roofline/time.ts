import type { Cost, Product } from "../specs/node.js";
import { kernelFamily, kernelTerms, productFamily, productTerms, streamBytes } from "./families.js";
import { type Family, type Level, levelFor, type Machine } from "./machine.js";

/** What keeps a kernel from being faster: multiply-adds, a level of memory, or being started. */
export type Bound = "compute" | "overhead" | (string & {});

/** The least time that a kernel could take on a machine, if nothing but the hardware's peaks held it back. */
export interface Limit {
  readonly seconds: number;
  /** What the peak is of. */
  readonly bound: Bound;
  /** Multiply-adds for each byte moved. */
  readonly intensity: number;
}

/** What a kernel is expected to take. */
export interface Prediction {
  readonly seconds: number;
  readonly bound: Bound;
  /** Of the seconds, those that a product takes whatever its weight keeps: packing x, storing y, an activation. */
  readonly packing: number;
  /** False where the machine has no calibration for the family, and its peaks had to do. */
  readonly calibrated: boolean;
}

/** Share of the peaks that kernels without a calibration are expected to reach. */
const UNKNOWN = 0.3;

/**
 * The roofline (Williams, Waterman and Patterson, 2009): max(multiply-adds / peak, bytes / bandwidth), at the level of memory that holds
 * `workingSet` bytes: what is touched between two uses of the same data.
 */
export function limitOf(cost: Cost, machine: Machine, workingSet: number): Limit {
  const level = levelFor(machine.all, workingSet);
  const compute = cost.multiplyAdds / machine.all.float32;
  const traffic = cost.bytes / level.read;
  const seconds = Math.max(compute, traffic);
  const intensity = cost.bytes === 0 ? Number.POSITIVE_INFINITY : cost.multiplyAdds / cost.bytes;
  const bound = machine.launch > seconds ? "overhead" : compute >= traffic ? "compute" : level.name;
  return { seconds, bound, intensity };
}

/** What a kernel is expected to take, its data coming from the level that holds `workingSet` bytes. */
export function predictTime(kernel: string, cost: Cost, machine: Machine, workingSet: number): Prediction {
  if (cost.multiplyAdds === 0 && cost.bytes === 0)
    return { seconds: 0, bound: "overhead", packing: 0, calibrated: true };
  const own = machine.families[kernelFamily(kernel)];
  if (own !== undefined || cost.product === undefined) return kernelTime(own, cost, machine);
  return productTime(cost, cost.product, machine, workingSet);
}

function productTime(cost: Cost, product: Product, machine: Machine, workingSet: number): Prediction {
  const family = familyFor(productFamily(product), machine);
  const level = levelFor(machine.all, workingSet);
  if (family === undefined) return unknown(cost, machine, workingSet);
  const traffic = streamBytes(product) / (level.read * (level.capacity === null ? family.memory : 1));
  const [run, vectors, passes, strips, moved] = productTerms(product).map((term, i) => term * family.seconds[i]!);
  const compute = vectors! + passes! + strips!;
  const each = machine.families[kernelFamily("elementwise")]?.seconds[1] ?? 0;
  const activation = product.activation * product.rows * product.tokens * each;
  const seconds = run! + Math.max(compute, traffic) + moved! + activation;
  return { seconds, bound: boundOf(run!, compute, traffic, level), packing: moved! + activation, calibrated: true };
}

function kernelTime(family: Family | undefined, cost: Cost, machine: Machine): Prediction {
  if (family === undefined) return unknown(cost, machine, cost.bytes);
  const level = levelFor(machine.all, cost.bytes);
  const [run, compute, moved] = kernelTerms(cost).map((term, i) => term * family.seconds[i]!);
  const traffic = cost.bytes / level.read;
  const seconds = run! + Math.max(compute! + moved!, traffic);
  return { seconds, bound: boundOf(run!, compute!, Math.max(moved!, traffic), level), packing: 0, calibrated: true };
}

function unknown(cost: Cost, machine: Machine, workingSet: number): Prediction {
  const { seconds, bound } = limitOf(cost, machine, workingSet);
  return { seconds: machine.launch + seconds / UNKNOWN, bound, packing: 0, calibrated: false };
}

const boundOf = (run: number, compute: number, traffic: number, level: Level): Bound =>
  run >= Math.max(compute, traffic) ? "overhead" : compute >= traffic ? "compute" : level.name;

/** The family, or the nearest to it that the machine has: of float32 for other values, of more tokens for few. */
function familyFor(name: string, { families }: Machine): Family | undefined {
  const [kernel, kind, , extent] = name.split("/") as [string, string, string, string];
  const like = kind === "masked" ? "sparse" : kind;
  const others = [name, `${kernel}/${like}/float32/${extent}`, `${kernel}/${like}/float32/many`];
  return others.map((other) => families[other]).find((family) => family !== undefined);
}
