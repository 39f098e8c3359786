import { describe, expect, it } from "vitest";
import { installNodeHost } from "../../src/backends/wasm/host.node.js";
import { detectDevice, Session } from "../../src/backends/wasm/index.js";
import { Executor, optimize, referencePlans, type Specialized } from "../../src/compiler/index.js";
import { type AttributeLike, type Graph, GraphBuilder, type Value } from "../../src/graph/index.js";
import { SparseTensor, toSparse } from "../../src/layouts/index.js";
import { evaluateGraph, operators } from "../../src/ops/index.js";
import { Tensor } from "../../src/tensor/index.js";

installNodeHost();

const floats = (...values: number[]): Tensor => Tensor.from("float32", [values.length], values);
/** The values over and over, too many to become part of a plan's signature. */
const many = (...values: number[]): Tensor =>
  floats(...Array.from({ length: 100 }, (_, i) => values[i % values.length]!));
const int = (value: number): Tensor => Tensor.from("int64", [], [value]);
const bool = (value: boolean): Tensor => Tensor.from("bool", [], [value ? 1 : 0]);
const subgraph = (graph: Graph): AttributeLike => ({ kind: "graph", value: graph });

/** A branch of an If: no inputs, what it reads it captures. */
function branch(build: (b: GraphBuilder) => Value): Graph {
  const b = new GraphBuilder("branch");
  b.output(build(b));
  return b.build();
}

/** The reference's plans, and a record of what was planned and given back. */
function recordedPlans() {
  const record = { planned: [] as Specialized[], nested: [] as Specialized[], released: 0 };
  const maker = (specs: Specialized[]): typeof referencePlans => ({
    plan(spec, host) {
      specs.push(spec);
      const plan = referencePlans.plan(spec, host);
      return {
        ...plan,
        release() {
          record.released++;
          plan.release();
        },
      };
    },
    nested: () => maker(record.nested),
  });
  return { record, plans: maker(record.planned) };
}

/** Runs the graph on every feed with one executor a device and compares with the operators' evaluations. */
function expectSame(graph: Graph, runs: readonly (readonly Tensor[])[]): void {
  const executors = [
    new Executor(optimize(graph), referencePlans),
    new Executor(optimize(graph), new Session(detectDevice(1))),
  ];
  for (const feeds of runs) {
    const expected = evaluateGraph(graph, feeds, operators);
    for (const executor of executors) {
      const actual = executor.run(feeds);
      expect(actual.map(({ dtype, shape }) => [dtype, ...shape])).toEqual(
        expected.map(({ dtype, shape }) => [dtype, ...shape]),
      );
      expect(actual.map((tensor) => Array.from(tensor.numbers()))).toEqual(
        expected.map((tensor) => Array.from(tensor.numbers())),
      );
    }
  }
  for (const executor of executors) executor.release();
}

describe("shapes that depend on data", () => {
  it("NonZero, and what is computed from its result and from before", () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", ["n"]);
    const doubled = b.add("Add", [x, x]);
    const places = b.add("NonZero", [x]);
    const chosen = b.add("Gather", [doubled, b.add("Squeeze", [places, b.constant(Tensor.from("int64", [1], [0]))])]);
    b.output(b.add("Relu", [chosen]));
    b.output(places);
    b.output(doubled);
    expectSame(b.build(), [
      [floats(0, 2, 0, -3)],
      [floats(1, 2, 3, 4)],
      [many(0, 2, 0, -3)],
      [many(1, 2, 3, 4)],
      [many(0)],
      [many(-3, 0, 0, 0)],
    ]);
  });

  it("one after the other", () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", ["n"]);
    const first = b.add("Compress", [x, b.add("Greater", [x, b.constant(Tensor.scalar("float32", 0))])]);
    const second = b.add("Compress", [first, b.add("Less", [first, b.constant(Tensor.scalar("float32", 3))])]);
    b.output(b.add("Mul", [second, second]));
    expectSame(b.build(), [[many(-1, 2, 5, 1)], [many(-1, -2, 5, 1)], [many(-1, -2, -5, 7)], [many(-1)]]);
  });

  it("Loop with scan outputs, its trip count fed", () => {
    const body = new GraphBuilder("body");
    const i = body.input("i", "int64", []);
    body.input("go", "bool", []);
    const sum = body.input("sum", "float32", [2]);
    const next = body.add("Add", [sum, body.add("Cast", [i], { to: 1 })]);
    body.output(body.constant(bool(true)));
    body.output(next);
    const scan = body.add("Neg", [next]);
    scan.type = { dtype: "float32", shape: [2] };
    body.output(scan);
    const b = new GraphBuilder();
    const trips = b.input("trips", "int64", []);
    const start = b.input("start", "float32", [2]);
    const [last, scanned] = b.addMany("Loop", [trips, b.constant(bool(true)), start], 2, {
      body: subgraph(body.build()),
    });
    b.output(last!);
    b.output(b.add("ReduceSum", [scanned!, b.constant(Tensor.from("int64", [1], [0]))], { keepdims: 0 }));
    expectSame(
      b.build(),
      [0, 1, 5, 5, 2].map((trips) => [int(trips), floats(1, -1)]),
    );
  });

  it("Loop that ends by its own condition", () => {
    const body = new GraphBuilder("body");
    body.input("i", "int64", []);
    body.input("go", "bool", []);
    const x = body.input("x", "float32", []);
    const half = body.add("Mul", [x, body.constant(Tensor.scalar("float32", 0.5))]);
    body.output(body.add("Greater", [half, body.constant(Tensor.scalar("float32", 1))]));
    body.output(half);
    body.output(body.add("Neg", [half]));
    const b = new GraphBuilder();
    const start = b.input("start", "float32", []);
    const inputs = [null, b.constant(bool(true)), start];
    for (const output of b.addMany("Loop", inputs, 2, { body: subgraph(body.build()) })) b.output(output);
    expectSame(
      b.build(),
      [40, 1, 3].map((value) => [Tensor.scalar("float32", value)]),
    );
  });
});

describe("If", () => {
  const decided = (make: (b: GraphBuilder, x: Value) => Value, shapes: "same" | "different"): Graph => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", ["n"]);
    const condition = make(b, x);
    const same = branch((inner) => inner.add("Neg", [x]));
    const other = branch((inner) =>
      shapes === "same" ? inner.add("Add", [x, x]) : inner.add("Concat", [x, x], { axis: 0 }),
    );
    const y = b.add("If", [condition], { then_branch: subgraph(same), else_branch: subgraph(other) });
    b.output(b.add("Relu", [y]));
    return b.build();
  };
  const isPositive = (b: GraphBuilder, x: Value): Value => {
    const sum = b.add("ReduceSum", [x], { keepdims: 0 });
    return b.add("Greater", [sum, b.constant(Tensor.scalar("float32", 0))]);
  };

  it.each(["same", "different"] as const)("on a computed condition, branches of %s shapes", (shapes) => {
    expectSame(decided(isPositive, shapes), [[floats(1, 2)], [floats(-1, -2)], [floats(-1, 5)], [floats(-7)]]);
  });

  it("on a fed condition makes a plan for each branch, without an If", () => {
    const graph = decided((b) => b.input("choose", "bool", []), "different");
    const { record, plans } = recordedPlans();
    const executor = new Executor(optimize(graph), plans);
    for (const choose of [true, false, true]) {
      const [y] = executor.run([floats(-1, 2), bool(choose)]);
      expect(Array.from(y!.numbers())).toEqual(choose ? [1, 0] : [0, 2, 0, 2]);
    }
    expect(record.planned).toHaveLength(2);
    expect(record.planned.flatMap(({ steps }) => steps.map(({ node }) => node.op))).not.toContain("If");
  });

  it("inside a Loop, with values captured through both", () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", [2]);
    const step = b.constant(floats(10, 20), "step");
    const body = new GraphBuilder("body");
    const i = body.input("i", "int64", []);
    body.input("go", "bool", []);
    const carried = body.input("carried", "float32", [2]);
    const odd = body.add("Cast", [body.add("Mod", [i, body.constant(int(2))])], { to: 9 });
    const chosen = body.add("If", [odd], {
      then_branch: subgraph(branch((inner) => inner.add("Add", [carried, step]))),
      else_branch: subgraph(branch((inner) => inner.add("Sub", [carried, x]))),
    });
    body.output(body.constant(bool(true)));
    body.output(chosen);
    body.output(body.add("Size", [body.add("NonZero", [carried])]));
    const loop = b.addMany("Loop", [b.constant(int(5)), null, x], 2, { body: subgraph(body.build()) });
    for (const output of loop) b.output(output);
    expectSame(b.build(), [[floats(1, 2)], [floats(-1, 0)]]);
  });
});

describe("bodies of loops", () => {
  it("get captured constants as constants, sparse ones sparse", () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", [1, 4]);
    const dense = Tensor.from(
      "float32",
      [4, 4],
      Array.from({ length: 16 }, (_, k) => (k % 5 === 0 ? k + 1 : 0)),
    );
    const weight = b.constant(toSparse(dense, "csr"), "weight");
    const body = new GraphBuilder("body");
    body.input("i", "int64", []);
    body.input("go", "bool", []);
    const carried = body.input("carried", "float32", [1, 4]);
    body.output(body.constant(bool(true)));
    body.output(body.add("MatMul", [carried, weight]));
    b.output(b.add("Loop", [b.constant(int(2)), null, x], { body: subgraph(body.build()) }));
    const feed = Tensor.from("float32", [1, 4], [1, 1, 1, 1]);
    const { record, plans } = recordedPlans();
    const [y] = new Executor(optimize(b.build()), plans).run([feed]);
    expect(Array.from(y!.numbers())).toEqual(Array.from(evaluateGraph(b.build(), [feed], operators)[0]!.numbers()));
    expect(record.nested).toHaveLength(1);
    expect([...record.nested[0]!.constants.values()].some((constant) => constant instanceof SparseTensor)).toBe(true);
    expect(record.nested[0]!.inputs).not.toContain(weight);
  });
});

describe("plans", () => {
  const squares = (): Graph => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", ["n"]);
    b.output(b.add("Mul", [x, x]));
    return b.build();
  };

  it("are made once a shape, and the least recently used of more than 64 is given back", () => {
    const { record, plans } = recordedPlans();
    const executor = new Executor(squares(), plans);
    const run = (size: number): void => void executor.run([Tensor.zeros("float32", [size])]);
    for (let size = 1; size <= 64; size++) run(size);
    run(1); // now size 2 is the oldest
    expect([record.planned.length, record.released]).toEqual([64, 0]);
    run(65);
    expect([record.planned.length, record.released]).toEqual([65, 1]);
    run(1);
    expect(record.planned).toHaveLength(65);
    run(2);
    expect([record.planned.length, record.released]).toEqual([66, 2]);
    executor.release();
    expect(record.released).toBe(66);
  });

  it("that end at a data-dependent shape give back what follows as well", () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", ["n"]);
    b.output(b.add("Neg", [b.add("NonZero", [x])]));
    const { record, plans } = recordedPlans();
    const executor = new Executor(b.build(), plans);
    executor.run([many(1, 0)]);
    executor.run([many(1)]);
    executor.run([many(0, 1)]);
    // One plan up to NonZero, and one for each length of its result.
    expect(record.planned).toHaveLength(3);
    executor.release();
    expect(record.released).toBe(3);
  });

  it("depend on the values of inputs that shapes depend on, and of no others", () => {
    const b = new GraphBuilder();
    const x = b.input("x", "float32", [6]);
    const shape = b.input("shape", "int64", [2]);
    b.output(b.add("Reshape", [x, shape]));
    const { record, plans } = recordedPlans();
    const executor = new Executor(b.build(), plans);
    const run = (data: number, dims: number[]): readonly number[] =>
      executor.run([floats(...new Array<number>(6).fill(data)), Tensor.from("int64", [2], dims)])[0]!.shape;
    expect(run(0, [2, 3])).toEqual([2, 3]);
    expect(run(1, [2, 3])).toEqual([2, 3]);
    expect(record.planned).toHaveLength(1);
    expect(run(1, [3, -1])).toEqual([3, 2]);
    expect(record.planned).toHaveLength(2);
  });
});
