import type { Value } from "../../../graph/index.js";
import { byteLengthOf, sizeOf, type Tensor } from "../../../tensor/index.js";
import type { Buffer, Kernel, Lowering } from "../kernel.js";
import { launchConversion } from "./elementwise/convert.js";
import { asFloat32, floatOf, isShortFloat } from "./floats.js";

/** What the kernel makes of the node, as it is or with its short floats as float32. */
interface Spec {
  readonly spec: unknown;
  readonly wide: boolean;
}

/**
 * The kernel, for nodes of float16 and bfloat16 as well where it takes those of float32: what it reads is widened before, what it writes is
 * rounded after. Constants are widened once, activations once for all that read them.
 */
export const widened = (kernel: Kernel): Kernel => ({
  name: kernel.name,
  match(node, at): Spec | null {
    const own = kernel.match(node, at);
    if (own !== null) return { spec: own, wide: false };
    const values = [...node.inputs, ...node.outputs];
    if (!values.some((value) => value !== null && isShortFloat(at.type(value).dtype))) return null;
    const spec = kernel.match(node, asFloat32(at));
    return spec === null ? null : { spec, wide: true };
  },
  schedules: (spec, device) => kernel.schedules((spec as Spec).spec, device),
  lower(given, schedule, node, to) {
    const { spec, wide } = given as Spec;
    if (!wide) {
      kernel.lower(spec, schedule, node, to);
      return;
    }
    const written = new Map(
      node.outputs
        .filter((value) => value !== null && isShortFloat(to.type(value).dtype))
        .map((value) => [value, to.scratch(wideBytes(value!, to))]),
    );
    kernel.lower(spec, schedule, node, wideLowering(to, written as ReadonlyMap<Value, Buffer>));
    for (const [value, wideBuffer] of written) convert(to, value!, wideBuffer, "narrow");
  },
  cost: (spec) => kernel.cost((spec as Spec).spec),
});

const wideBytes = (value: Value, to: Lowering): number => byteLengthOf("float32", sizeOf(to.type(value).shape));

function convert(to: Lowering, value: Value, wide: Buffer, way: "widen" | "narrow"): void {
  const count = sizeOf(to.type(value).shape);
  const [short, float] = [
    { buffer: to.buffer(value), dtype: floatOf(value, to) },
    { buffer: wide, dtype: "float32" as const },
  ];
  if (way === "widen") launchConversion(to, short, float, count);
  else launchConversion(to, float, short, count);
}

/** A lowering in which short floats are float32; `written` are the buffers of those that the node makes. */
function wideLowering(to: Lowering, written: ReadonlyMap<Value, Buffer>): Lowering {
  const isShort = (value: Value): boolean => isShortFloat(to.type(value).dtype);
  const seen = asFloat32(to);
  const prepared: Lowering["prepared"] = (value, key, bytes, fill) =>
    to.prepared(value, isShort(value) ? `${key}/float32` : key, bytes, fill);
  const buffer = (value: Value): Buffer => {
    const own = written.get(value);
    if (own !== undefined) return own;
    if (!isShort(value)) return to.buffer(value);
    const bytes = wideBytes(value, to);
    const constant = seen.constant(value);
    if (constant !== undefined) {
      const dense = (): Tensor => ("toDense" in constant ? constant.toDense().to("float32") : constant);
      return prepared(value, "dense", bytes, (target) => target.set(dense().bytes()));
    }
    return to.derived(value, "float32", () => {
      const wide = to.scratch(bytes);
      convert(to, value, wide, "widen");
      return wide;
    });
  };
  return { ...seen, buffer, prepared };
}
