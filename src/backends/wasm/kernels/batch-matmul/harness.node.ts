import { setFlagsFromString } from "node:v8";
import { placeInArena } from "../../../../compiler/index.js";
import type { Constant, Graph, Value } from "../../../../graph/index.js";
import { SparseTensor } from "../../../../layouts/index.js";
import { Attributes as AttributesOf, evaluateGraph, operators } from "../../../../ops/index.js";
import { Tensor } from "../../../../tensor/index.js";
import { moduleBytes } from "../../asm/index.js";
import { hasRelaxedSimd } from "../../features.js";
import type { Argument, Buffer, ConcreteType, DeviceInfo, Kernel, KernelCode, Lowering } from "../../kernel.js";

/** Runs one kernel on one node without a plan: what the kernels' own tests and labs use. */

/** Whether this host compiles relaxed SIMD; turns the flag on where V8 still has one. */
function relaxedSimd(): boolean {
  if (!hasRelaxedSimd()) setFlagsFromString("--experimental-wasm-relaxed-simd");
  return hasRelaxedSimd();
}

export const deviceInfo = (relaxed = relaxedSimd()): DeviceInfo => ({ relaxed, shared: true, threads: 2 });

let memory: WebAssembly.Memory | undefined;
const modules = new Map<string, (args: number, chunk: number) => void>();

function compiled(code: KernelCode, device: DeviceInfo): (args: number, chunk: number) => void {
  const key = `${code.key} ${device.relaxed}`;
  let run = modules.get(key);
  if (run === undefined) {
    memory ??= new WebAssembly.Memory({ initial: 64, maximum: 65536, shared: true });
    const module = new WebAssembly.Module(moduleBytes({ run: code.build(device) }, { shared: true }));
    run = new WebAssembly.Instance(module, { env: { memory } }).exports.run as typeof run;
    modules.set(key, run!);
  }
  return run!;
}

const align = (n: number): number => (n + 63) & ~63;

/** A graph of one node, lowered. */
export interface Lowered {
  readonly launches: number;
  /** The first byte behind what it uses. */
  readonly end: number;
  write(feeds: readonly Tensor[]): void;
  run(): void;
  read(): Tensor[];
  /** Milliseconds that the launches of each code take in one run, the median of `runs`. */
  profile(runs: number): Map<string, number>;
}

/**
 * Lowers the only node of `graph` by the first of `kernels` that matches; null when none does. Types must be concrete. All share one
 * memory: what is to run beside another begins at the other's `end`.
 */
export function lower(
  graph: Graph,
  feeds: readonly Tensor[],
  kernels: readonly Kernel[],
  device: DeviceInfo = deviceInfo(),
  schedule = 0,
  base = 1024,
): Lowered | null {
  const node = graph.nodes[0]!;
  const outputs = evaluateTypes(graph, feeds);
  const type = (value: Value): ConcreteType => {
    const constant = graph.constants.get(value);
    if (constant !== undefined) return { dtype: constant.dtype, shape: constant.shape };
    const feed = feeds[graph.inputs.indexOf(value)] ?? outputs[graph.outputs.indexOf(value)];
    if (feed === undefined) throw new Error(`no type for ${value.name}`);
    return { dtype: feed.dtype, shape: feed.shape };
  };
  const context = { device, type, constant: (value: Value): Constant | undefined => graph.constants.get(value) };
  let spec: unknown = null;
  const kernel = kernels.find((candidate) => {
    spec = candidate.match(node, context);
    return spec !== null;
  });
  if (kernel === undefined) return null;

  let top = base;
  const place = (bytes: number): Buffer => {
    const buffer: Buffer = { bytes, address: top };
    top = align(top + Math.max(bytes, 4));
    return buffer;
  };
  const buffers = new Map<Value, Buffer>();
  const writes: (() => void)[] = [];
  const bytesAt = (buffer: Buffer): Uint8Array => new Uint8Array(memory!.buffer, buffer.address!, buffer.bytes);
  const buffer = (value: Value): Buffer => {
    let found = buffers.get(value);
    if (found === undefined) {
      const { dtype, shape } = type(value);
      const bytes = Tensor.zeros(dtype, shape).byteLength;
      const made = place(bytes);
      found = made;
      buffers.set(value, found);
      const constant = graph.constants.get(value);
      if (constant !== undefined) {
        const dense = constant instanceof SparseTensor ? constant.toDense() : constant;
        writes.push(() => bytesAt(made).set(dense.bytes()));
      }
    }
    return found;
  };
  const prepared = new Map<string, Buffer>();
  const derived = new Map<string, Buffer>();
  const scratch: Buffer[] = [];
  const launches: {
    key: string;
    run: (args: number, chunk: number) => void;
    args: readonly Argument[];
    chunks: number;
    at: number;
  }[] = [];
  const lowering: Lowering = {
    ...context,
    buffer,
    scratch(bytes) {
      const made: Buffer = { bytes, address: null };
      scratch.push(made);
      return made;
    },
    prepared(value, key, bytes, fill) {
      const id = `${value.name} ${key}`;
      let found = prepared.get(id);
      if (found === undefined) {
        const made = place(bytes);
        found = made;
        prepared.set(id, found);
        const target = new Uint8Array(bytes);
        fill(target);
        writes.push(() => bytesAt(made).set(target));
      }
      return found;
    },
    derived(value, key, make) {
      const id = `${value.name} ${key}`;
      if (!derived.has(id)) derived.set(id, make());
      return derived.get(id)!;
    },
    launch(code, args, chunks) {
      launches.push({
        key: code.key,
        run: compiled(code, device),
        args,
        chunks,
        at: place(4 * args.length + 4).address!,
      });
    },
    alias() {
      throw new Error("this harness has no alias");
    },
  };
  for (const input of node.inputs) if (input !== null) buffer(input);
  for (const output of node.outputs) if (output !== null) buffer(output);
  const schedules = kernel.schedules(spec, device);
  kernel.lower(spec, schedules[schedule % schedules.length], node, lowering);

  const arena = placeInArena(
    scratch.map((made) => {
      const uses = launches.flatMap(({ args }, i) =>
        args.some((arg) => typeof arg !== "number" && ("buffer" in arg ? arg.buffer : arg) === made) ? [i] : [],
      );
      return { bytes: made.bytes, first: uses[0] ?? 0, last: uses.at(-1) ?? 0 };
    }),
  );
  const { address } = place(arena.bytes);
  scratch.forEach((made, i) => {
    made.address = address! + arena.offsets[i]!;
  });

  memory ??= new WebAssembly.Memory({ initial: 64, maximum: 65536, shared: true });
  const missing = Math.ceil(top / 65536) + 1 - memory.buffer.byteLength / 65536;
  if (missing > 0) memory.grow(missing);

  return {
    launches: launches.length,
    end: top,
    write(values) {
      new Uint8Array(memory!.buffer, base, top - base).fill(0xff);
      for (const write of writes) write();
      values.forEach((feed, i) => bytesAt(buffer(graph.inputs[i]!)).set(feed.bytes()));
      for (const { args, at } of launches) {
        const numbers = args.map((arg) =>
          typeof arg === "number" ? arg : "buffer" in arg ? arg.buffer.address! + arg.offset : arg.address!,
        );
        new Int32Array(memory!.buffer, at, args.length).set(numbers);
      }
    },
    run() {
      for (const { run, chunks, at } of launches) for (let chunk = 0; chunk < chunks; chunk++) run(at, chunk);
    },
    profile(runs) {
      const samples = new Map<string, number[]>();
      for (let i = 0; i < runs; i++) {
        for (const { key, run, chunks, at } of launches) {
          const start = performance.now();
          for (let chunk = 0; chunk < chunks; chunk++) run(at, chunk);
          const list = samples.get(key) ?? [];
          samples.set(key, list);
          list[i] = (list[i] ?? 0) + performance.now() - start;
        }
      }
      return new Map([...samples].map(([key, list]) => [key, list.sort((a, b) => a - b)[list.length >> 1]!]));
    },
    read() {
      return graph.outputs.map((output) => {
        const { dtype, shape } = type(output);
        const { address, bytes } = buffer(output);
        const copy = new Uint8Array(memory!.buffer, address!, bytes).slice();
        return Tensor.fromBytes(dtype as "float32", shape, copy);
      });
    },
  };
}

/** Shapes of the outputs, by inference on concrete inputs. */
function evaluateTypes(graph: Graph, feeds: readonly Tensor[]): { dtype: Tensor["dtype"]; shape: readonly number[] }[] {
  const node = graph.nodes[0]!;
  const operator = operators.get(node.domain === "" ? node.op : `${node.domain}::${node.op}`)!;
  const operands = node.inputs.map((input) => {
    if (input === null) return null;
    const constant = graph.constants.get(input);
    const feed = feeds[graph.inputs.indexOf(input)];
    if (constant instanceof SparseTensor) return { type: { dtype: constant.dtype, shape: constant.shape } };
    const tensor = (constant ?? feed)!;
    return { type: { dtype: tensor.dtype, shape: tensor.shape }, value: tensor as Tensor };
  });
  const types = operator.infer(operands, operator.attributes(new AttributesOf(node)), { infer: () => [] });
  return node.outputs.flatMap((output, i) =>
    output === null ? [] : [types[i]! as { dtype: Tensor["dtype"]; shape: readonly number[] }],
  );
}

/** What the kernel makes of the node, and what its operator says. Null when no kernel matches. */
export function compare(
  graph: Graph,
  feeds: readonly Tensor[],
  kernels: readonly Kernel[],
  device: DeviceInfo = deviceInfo(),
  schedule = 0,
): { actual: Tensor[]; expected: Tensor[] } | null {
  const lowered = lower(graph, feeds, kernels, device, schedule);
  if (lowered === null) return null;
  lowered.write(feeds);
  lowered.run();
  return { actual: lowered.read(), expected: evaluateGraph(graph, feeds, operators) };
}
