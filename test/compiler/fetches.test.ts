import { describe, expect, it } from "vitest";
import { installNodeHost } from "../../src/backends/wasm/host.node.js";
import { detectDevice, Session } from "../../src/backends/wasm/index.js";
import { Executor, optimize, referencePlans } from "../../src/compiler/index.js";
import { type Graph, GraphBuilder } from "../../src/graph/index.js";
import { Tensor } from "../../src/tensor/index.js";

installNodeHost();

/** What [x] gives: 2x, and the entries of x that are not 0, whose number only the run tells. */
function graph(): Graph {
  const b = new GraphBuilder("g");
  const x = b.input("x", "float32", ["n"]);
  const nonzero = b.add("NonZero", [x]);
  const flat = b.add("Reshape", [nonzero, b.constant(Tensor.from("int64", [1], [-1]), "shape")]);
  b.output(b.add("Add", [x, x]), "twice");
  b.output(b.add("Gather", [x, flat]), "kept");
  return b.build();
}

const devices = { reference: () => referencePlans, wasm: () => new Session(detectDevice(1)) };

describe.each(Object.keys(devices) as (keyof typeof devices)[])("fetches on %s", (device) => {
  const executor = new Executor(optimize(graph()), devices[device]());
  const x = Tensor.from("float32", [4], [1, 0, 3, 0]);

  it("take the outputs, before and behind a shape that the data decides", () => {
    const [twice, kept] = [Tensor.from("float32", [4], [9, 9, 9, 9]), Tensor.from("float32", [2], [9, 9])];
    const outputs = executor.run([x], [twice, kept]);
    expect(outputs[0]).toBe(twice);
    expect(outputs[1]).toBe(kept);
    expect([...twice.numbers()]).toEqual([2, 0, 6, 0]);
    expect([...kept.numbers()]).toEqual([1, 3]);
  });

  it("may be given for some outputs only; the others are new each time", () => {
    const kept = Tensor.from("float32", [2], [9, 9]);
    const first = executor.run([x], [undefined, kept]);
    const second = executor.run([x], [undefined, kept]);
    expect(first[0]).not.toBe(second[0]);
    expect(first[0]!.data).not.toBe(second[0]!.data);
    expect([...first[0]!.numbers()]).toEqual([2, 0, 6, 0]);
    expect(second[1]).toBe(kept);
  });

  it.each([
    ["shape", Tensor.from("float32", [3], [0, 0, 0])],
    ["dtype", Tensor.from("int32", [4], [0, 0, 0, 0])],
  ])("of another %s are refused, and left as they were", (_, fetch) => {
    expect(() => executor.run([x], [fetch])).toThrow(/float32\[4\].*tensor given for it/);
    expect(fetch.numbers().every((value) => value === 0)).toBe(true);
  });

  it("never share memory with what was fed", () => {
    const b = new GraphBuilder("same");
    b.output(b.add("Identity", [b.input("x", "float32", [2])]), "y");
    const [y] = new Executor(optimize(b.build()), devices[device]()).run([Tensor.from("float32", [2], [1, 2])]);
    const fed = Tensor.from("float32", [2], [1, 2]);
    (fed.data as Float32Array)[0] = 7;
    expect([...y!.numbers()]).toEqual([1, 2]);
  });
});
