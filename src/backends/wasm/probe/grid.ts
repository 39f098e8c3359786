import { Tensor } from "../../../tensor/index.js";
import { convolution, depthwise, noise, operation, product, type Sample } from "./samples.js";

/** Kernels that multiply a constant weight in a way of their own. */
export const OWN_TERMS: ReadonlySet<string> = new Set(["direct-conv"]);

const PATTERNS = ["dense", "50%", "90%", "block:16x16@50%", "block:16x16@90%"];
const SHAPES = [
  [256, 256],
  [768, 512],
  [384, 1536],
] as const;
const TOKENS = [1, 4, 10, 24, 48, 100, 256];

const CONVOLUTIONS = [
  [64, 32, 28],
  [64, 64, 28],
  [128, 128, 14],
  [128, 256, 7],
] as const;
const CONV_PATTERNS = ["dense", "75%", "block:16x16@75%"];

/** What is measured to calibrate a machine: each kind of kernel over sizes that tell its terms apart. */
export function calibrationSamples(): (() => Sample)[] {
  const scale = (size: number) => () => [new Tensor("float32", [size], noise(size))];
  const both = (size: number) => (b: Parameters<NonNullable<Parameters<typeof operation>[3]>>[0]) =>
    [...scale(size)(), ...scale(size)()].map((tensor) => b.constant(tensor));
  return [
    ...PATTERNS.flatMap((pattern) =>
      SHAPES.flatMap(([rows, depth]) => TOKENS.map((tokens) => () => product(rows, depth, tokens, pattern))),
    ),
    ...CONV_PATTERNS.flatMap((pattern) =>
      CONVOLUTIONS.map(
        ([o, i, side]) =>
          () =>
            convolution(o, i, side, 3, pattern),
      ),
    ),
    ...[14, 28, 56].map((side) => () => depthwise(64, side)),
    ...[16, 64, 256].flatMap((rows) => [
      () =>
        operation("Add", [
          [rows, 768],
          [rows, 768],
        ]),
      () => operation("Gelu", [[rows, 768]], {}, () => [], 20),
      () => operation("Tanh", [[rows, 768]]),
      () => operation("Softmax", [[rows, 256]], { axis: -1 }, () => [], 13),
      () => operation("LayerNormalization", [[rows, 768]], { axis: -1 }, both(768), 17),
      () => operation("ReduceMean", [[rows, 768]], {}, () => [], 18),
      () => operation("Transpose", [[rows, 8, 64]], { perm: [1, 0, 2] }, () => [], 21),
      () =>
        operation(
          "Concat",
          [
            [rows, 384],
            [rows, 384],
          ],
          { axis: 1 },
          () => [],
          13,
        ),
    ]),
    ...[32, 128, 256].flatMap((rows) => [
      () =>
        operation(
          "MatMul",
          [
            [8, rows, 64],
            [8, 64, rows],
          ],
          {},
          () => [],
          13,
        ),
      () =>
        operation("Attention", [
          [1, 8, rows, 64],
          [1, 8, rows, 64],
          [1, 8, rows, 64],
        ]),
    ]),
  ];
}
