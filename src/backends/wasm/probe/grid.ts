import { convolution, depthwise, operation, product, type Sample } from "./samples.js";

/** Kernels that multiply a constant weight in a way of their own. */
export const OWN_TERMS: ReadonlySet<string> = new Set(["direct-conv"]);

const PATTERNS = ["dense", "50%", "80%", "95%", "block:16x16@50%", "block:16x16@90%"];
const SHAPES = [
  [256, 256],
  [768, 512],
  [384, 1536],
] as const;
const TOKENS = [1, 4, 10, 24, 48, 100, 256];

/** From memory, where the last cache is not larger. */
const LARGE = [
  [24576, 512],
  [12288, 1024],
] as const;

const CONVOLUTIONS = [
  [32, 32, 56],
  [256, 64, 7],
  [16, 64, 14],
  [64, 32, 28],
  [64, 64, 28],
  [128, 128, 14],
  [128, 256, 7],
] as const;
const CONV_PATTERNS = ["dense", "75%", "block:16x16@75%"];

const products = (): (() => Sample)[] =>
  PATTERNS.flatMap((pattern) =>
    SHAPES.flatMap(([rows, depth]) => TOKENS.map((tokens) => () => product(rows, depth, tokens, pattern))),
  );

const convolutions = (): (() => Sample)[] =>
  CONV_PATTERNS.flatMap((pattern) =>
    CONVOLUTIONS.map(
      ([outputs, channels, side]) =>
        () =>
          convolution(outputs, channels, side, 3, pattern),
    ),
  );

/** Operators on so many rows. */
function rowwise(rows: number): (() => Sample)[] {
  const [x, half] = [
    [rows, 768],
    [rows, 384],
  ];
  return [
    () => operation("Add", 13, [x, x]),
    () => operation("Gelu", 20, [x]),
    () => operation("Tanh", 13, [x]),
    () => operation("Softmax", 13, [[rows, 256]]),
    () => operation("LayerNormalization", 17, [x], {}, [[768], [768]]),
    () => operation("InstanceNormalization", 6, [[1, rows, 1024]], {}, [[rows], [rows]]),
    () => operation("ReduceMean", 18, [x]),
    () => operation("Transpose", 21, [[rows, 8, 64]], { perm: [1, 0, 2] }),
    () => operation("Concat", 13, [half, half], { axis: 1 }),
    () =>
      operation(
        "RotaryEmbedding",
        23,
        [[1, 8, rows, 64]],
        {},
        [1, 1].map((batch) => [batch, rows, 32]),
      ),
    () => operation("MaxPool", 22, [[1, rows, 28, 28]], { kernel_shape: [2, 2], strides: [2, 2] }),
    () => operation("GlobalAveragePool", 1, [[1, rows, 28, 28]]),
  ];
}

function attention(rows: number): (() => Sample)[] {
  return [32, 64].flatMap((size) => {
    const heads = [1, 8, rows, size];
    return [
      () => operation("MatMul", 13, [heads, [1, 8, size, rows]]),
      () => operation("Attention", 23, [heads, heads, heads]),
    ];
  });
}

/** What is measured to calibrate a machine: each kind of kernel over sizes that tell its terms apart. */
export const calibrationSamples = (): (() => Sample)[] => [
  ...products(),
  ...LARGE.map(
    ([rows, depth]) =>
      () =>
        product(rows, depth, 1, "dense"),
  ),
  ...convolutions(),
  ...[14, 28, 56].map((side) => () => depthwise(64, side)),
  ...[16, 64, 256].flatMap(rowwise),
  ...[32, 128, 256].flatMap(attention),
];
