import type { Value } from "../../../src/graph/index.js";
import { Tensor } from "../../../src/tensor/index.js";
import { type BuiltModel, Network } from "./network.js";
import type { AttentionForm } from "./vit.js";

interface Sizes {
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  readonly image: number;
  /** Blocks that attend to the whole image. */
  readonly global: readonly number[];
  readonly parameters: number;
}

/** Kirillov et al. 2023, segment_anything's ImageEncoderViT; the last is for trying out. */
const ENCODERS = {
  "SAM vit_h": {
    width: 1280,
    depth: 32,
    heads: 16,
    image: 1024,
    global: [7, 15, 23, 31],
    parameters: 637_026_048,
  },
  "SAM, small": { width: 96, depth: 2, heads: 2, image: 256, global: [1], parameters: 943_072 },
} as const satisfies Record<string, Sizes>;

export type SamName = keyof typeof ENCODERS;

const PATCH = 16;
const WINDOW = 14;
const NECK = 256;

/**
 * SAM's image encoder with random weights: image [1, 3, 1024, 1024] to [1, 256, 64, 64]. Attention in windows of 14×14, in four blocks over
 * the image; relative positions added to the scores, by query and row and by query and column. @throws Error where it has not as many
 * parameters as the real one.
 */
export function sam(name: SamName, form: AttentionForm): BuiltModel {
  const { width, depth, heads, image, global, parameters }: Sizes = ENCODERS[name];
  const net = new Network(name);
  const side = image / PATCH;
  const shape = [1, 3, image, image];
  const patches = net.op(
    "Conv",
    [
      net.input(shape),
      net.parameter("patch_embed.proj.weight", [width, 3, PATCH, PATCH]),
      net.parameter("patch_embed.proj.bias", [width]),
    ],
    { strides: [PATCH, PATCH] },
  );
  const placed = new Map<number, Value>();
  const places = (count: number, cells: number): Value => {
    const shape = net.list([count, heads, cells * cells, 2 * cells]);
    const made = placed.get(cells) ?? net.op("Expand", [net.constant(oneHot(cells)), shape]);
    placed.set(cells, made);
    return made;
  };
  let x = net.op("Add", [net.transpose(patches, [0, 2, 3, 1]), net.parameter("pos_embed", [1, side, side, width])]);
  for (let block = 0; block < depth; block++) {
    const at = `blocks.${block}`;
    const normed = net.layerNorm(x, `${at}.norm1`, width);
    const whole = global.includes(block);
    const windowed = whole ? normed : windows(net, normed, side, width);
    const cells = whole ? side : WINDOW;
    const count = whole ? 1 : Math.ceil(side / WINDOW) ** 2;
    const mixed = attention(net, windowed, { at: `${at}.attn`, count, side: cells, width, heads, form, places });
    x = net.op("Add", [x, whole ? mixed : unwindowed(net, mixed, side, width)]);
    const hidden = net.linear(net.layerNorm(x, `${at}.norm2`, width), `${at}.mlp.lin1`, width, 4 * width);
    x = net.op("Add", [x, net.linear(net.op("Gelu", [hidden]), `${at}.mlp.lin2`, 4 * width, width)]);
  }
  const first = net.op("Conv", [net.transpose(x, [0, 3, 1, 2]), net.parameter("neck.0.weight", [NECK, width, 1, 1])]);
  const second = net.op(
    "Conv",
    [layerNorm2d(net, first, "neck.1"), net.parameter("neck.2.weight", [NECK, NECK, 3, 3])],
    { pads: [1, 1, 1, 1] },
  );
  const built = net.build(layerNorm2d(net, second, "neck.3"), [1, NECK, side, side], shape);
  if (built.parameters !== parameters) throw new Error(`${name} has ${built.parameters} parameters, not ${parameters}`);
  return built;
}

/** Over the channels of [1, channels, height, width]. */
function layerNorm2d(net: Network, x: Value, name: string): Value {
  return net.transpose(net.layerNorm(net.transpose(x, [0, 2, 3, 1]), name, NECK), [0, 3, 1, 2]);
}

/** [1, side, side, width] to [windows, 14, 14, width], zeros beyond the border. */
function windows(net: Network, x: Value, side: number, width: number): Value {
  const across = Math.ceil(side / WINDOW);
  const beyond = across * WINDOW - side;
  const padded = beyond === 0 ? x : net.op("Pad", [x, net.list([0, 0, 0, 0, 0, beyond, beyond, 0])]);
  const split = net.reshape(padded, [across, WINDOW, across, WINDOW, width]);
  return net.reshape(net.transpose(split, [0, 2, 1, 3, 4]), [across * across, WINDOW, WINDOW, width]);
}

function unwindowed(net: Network, x: Value, side: number, width: number): Value {
  const across = Math.ceil(side / WINDOW);
  const split = net.reshape(x, [across, across, WINDOW, WINDOW, width]);
  const joined = net.reshape(net.transpose(split, [0, 2, 1, 3, 4]), [1, across * WINDOW, across * WINDOW, width]);
  if (across * WINDOW === side) return joined;
  return net.op("Slice", [joined, net.list([0, 0]), net.list([side, side]), net.list([1, 2])]);
}

interface Attending {
  readonly at: string;
  /** Images or windows, of side × side tokens each. */
  readonly count: number;
  readonly side: number;
  readonly width: number;
  readonly heads: number;
  readonly form: AttentionForm;
  /** Where each key is, for every head: see `oneHot`. */
  readonly places: (count: number, side: number) => Value;
}

function attention(net: Network, x: Value, { at, count, side, width, heads, form, places }: Attending): Value {
  const size = width / heads;
  const tokens = side * side;
  const qkv = net.linear(x, `${at}.qkv`, width, 3 * width);
  const [q, k, v] = net
    .split(net.reshape(qkv, [count, tokens, 3 * width]), [width, width, width], 2)
    .map((part) => net.transpose(net.reshape(part, [count, tokens, heads, size]), [0, 2, 1, 3])) as [
    Value,
    Value,
    Value,
  ];
  const rows = net.transpose(relativePositions(net, `${at}.rel_pos_h`, side, size), [0, 2, 1]);
  const columns = net.transpose(relativePositions(net, `${at}.rel_pos_w`, side, size), [0, 2, 1]);
  const grid = net.reshape(q, [count * heads, side, side, size]);
  const byRow = net.op("MatMul", [grid, rows]);
  const byColumn = net.transpose(net.op("MatMul", [net.transpose(grid, [0, 2, 1, 3]), columns]), [0, 2, 1, 3]);
  const scaled = net.op("Mul", [q, net.scalar(size ** -0.5)]);
  let mixed: Value;
  if (form === "fused") {
    // scale · q·k + byRow[row of the key] + byColumn[column of the key] is one product of longer vectors: nothing as large as the scores is held.
    const long = (value: Value): Value => net.reshape(value, [count, heads, tokens, side]);
    const query = net.op("Concat", [scaled, long(byRow), long(byColumn)], { axis: 3 });
    const key = net.op("Concat", [k, places(count, side)], { axis: 3 });
    mixed = net.attention(query, key, v);
  } else {
    const three = (value: Value): Value => net.reshape(value, [count * heads, tokens, size]);
    const scores = net.op("MatMul", [three(scaled), net.transpose(three(k), [0, 2, 1])]);
    const placed = net.op("Add", [
      net.op("Add", [
        net.reshape(scores, [count * heads, tokens, side, side]),
        net.reshape(byRow, [count * heads, tokens, side, 1]),
      ]),
      net.reshape(byColumn, [count * heads, tokens, 1, side]),
    ]);
    const shares = net.op("Softmax", [net.reshape(placed, [count * heads, tokens, tokens])], { axis: -1 });
    mixed = net.reshape(net.op("MatMul", [shares, three(v)]), [count, heads, tokens, size]);
  }
  const joined = net.reshape(net.transpose(mixed, [0, 2, 1, 3]), [count, side, side, width]);
  return net.linear(joined, `${at}.proj`, width, width);
}

/** [queries, keys, size] of the parameter [2 · side - 1, size], by how far a query is from a key. */
function relativePositions(net: Network, name: string, side: number, size: number): Value {
  const distances = BigInt64Array.from({ length: side * side }, (_, i) =>
    BigInt(Math.floor(i / side) - (i % side) + side - 1),
  );
  const table = net.parameter(name, [2 * side - 1, size]);
  return net.op("Gather", [table, net.constant(new Tensor("int64", [side, side], distances))], { axis: 0 });
}

/** [tokens, 2 · side]: ones where a token's row and, after them, its column are. */
function oneHot(side: number): Tensor {
  const values = new Float32Array(side * side * 2 * side);
  for (let token = 0; token < side * side; token++) {
    values[token * 2 * side + Math.floor(token / side)] = 1;
    values[token * 2 * side + side + (token % side)] = 1;
  }
  return new Tensor("float32", [1, 1, side * side, 2 * side], values);
}
