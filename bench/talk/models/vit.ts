import type { Value } from "../../../src/graph/index.js";
import { type BuiltModel, Network } from "./network.js";

/** How attention is spelled: as its matrix products on [heads, tokens, size], or as one operator that never holds the scores. */
export type AttentionForm = "operators" | "fused";

interface Sizes {
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  readonly image: number;
  readonly parameters: number;
}

/** Dosovitskiy et al. 2021, as torchvision has them (vit_b_16, vit_l_16); the last is for trying out. */
const VITS = {
  "ViT-B/16": { width: 768, depth: 12, heads: 12, image: 224, parameters: 86_567_656 },
  "ViT-L/16": { width: 1024, depth: 24, heads: 16, image: 224, parameters: 304_326_632 },
  "ViT-Ti/16, 2 layers": { width: 192, depth: 2, heads: 3, image: 224, parameters: 1_268_776 },
} as const satisfies Record<string, Sizes>;

export type VitName = keyof typeof VITS;

const PATCH = 16;
const CLASSES = 1000;

/** A vision transformer with random weights: image [1, 3, 224, 224] to logits [1, 1000]. @throws Error where it has not as many parameters as the real one. */
export function vit(name: VitName, form: AttentionForm): BuiltModel {
  const { width, depth, heads, image, parameters }: Sizes = VITS[name];
  const net = new Network(name);
  const side = image / PATCH;
  const tokens = side * side + 1;
  const shape = [1, 3, image, image];
  const pixels = net.input(shape);
  const patches = net.op(
    "Conv",
    [pixels, net.parameter("conv_proj.weight", [width, 3, PATCH, PATCH]), net.parameter("conv_proj.bias", [width])],
    { strides: [PATCH, PATCH] },
  );
  const rows = net.transpose(net.reshape(patches, [1, width, side * side]), [0, 2, 1]);
  const withClass = net.op("Concat", [net.parameter("class_token", [1, 1, width]), rows], { axis: 1 });
  let x = net.op("Add", [withClass, net.parameter("encoder.pos_embedding", [1, tokens, width])]);
  for (let layer = 0; layer < depth; layer++) {
    const at = `encoder.layers.${layer}`;
    const qkv = net.linear(net.layerNorm(x, `${at}.ln_1`, width), `${at}.self_attention.in_proj`, width, 3 * width);
    const attended = attention(net, qkv, tokens, width, heads, form);
    x = net.op("Add", [x, net.linear(attended, `${at}.self_attention.out_proj`, width, width)]);
    const hidden = net.linear(net.layerNorm(x, `${at}.ln_2`, width), `${at}.mlp.0`, width, 4 * width);
    x = net.op("Add", [x, net.linear(net.op("Gelu", [hidden]), `${at}.mlp.3`, 4 * width, width)]);
  }
  const first = net.op("Gather", [net.layerNorm(x, "encoder.ln", width), net.list([0])], { axis: 1 });
  const logits = net.linear(net.reshape(first, [1, width]), "heads.head", width, CLASSES);
  const built = net.build(logits, [1, CLASSES], shape);
  if (built.parameters !== parameters) throw new Error(`${name} has ${built.parameters} parameters, not ${parameters}`);
  return built;
}

function attention(net: Network, qkv: Value, tokens: number, width: number, heads: number, form: AttentionForm): Value {
  const parts = net.split(qkv, [width, width, width], 2) as [Value, Value, Value];
  if (form === "fused") return net.microsoft("MultiHeadAttention", parts, { num_heads: heads });
  const size = width / heads;
  const [q, k, v] = parts.map((part) => net.transpose(net.reshape(part, [tokens, heads, size]), [1, 0, 2])) as [
    Value,
    Value,
    Value,
  ];
  const scores = net.op("MatMul", [net.op("Mul", [q, net.scalar(size ** -0.5)]), net.transpose(k, [0, 2, 1])]);
  const mixed = net.op("MatMul", [net.op("Softmax", [scores], { axis: -1 }), v]);
  return net.reshape(net.transpose(mixed, [1, 0, 2]), [1, tokens, width]);
}
