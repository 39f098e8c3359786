import type { Buffer, Lowering } from "../../kernel.js";
import { input, linear, output, shader, wgsl } from "../../wgsl/index.js";

const WORKGROUP = 64;

/** x [rows, size] plus the `size` numbers of a bias from `offset` on at every row: the projection's bias that MultiHeadAttention takes. */
export function addBias(x: Buffer, bias: Buffer, offset: number, rows: number, size: number, to: Lowering): Buffer {
  const y = to.scratch(4 * rows * size);
  const count = rows * size;
  to.launch(ADD_BIAS, { x, bias, y }, { count, size, offset }, linear(count, WORKGROUP));
  return y;
}

const ADD_BIAS = shader({
  key: "attention/add-bias",
  workgroup: [WORKGROUP],
  bindings: { x: input("f32"), bias: input("f32"), y: output("f32") },
  uniforms: { count: "u32", size: "u32", offset: "u32" },
  body: (s) => wgsl`
    let e = ${s.index};
    if (e >= ${s.count}) { return; }
    y[e] = x[e] + bias[${s.offset} + e % ${s.size}];
  `,
});

/**
 * A key padding mask as a mask of floats [batch, keys] in scratch memory, 0 where a key is seen and `hidden` elsewhere. `lengths`: the
 * mask is int32 [batch], how many keys are seen; else int32 [batch, keys], above 0 where they are.
 */
export function paddingMask(
  mask: Buffer,
  lengths: boolean,
  batch: number,
  keys: number,
  hidden: number,
  to: Lowering,
): Buffer {
  const y = to.scratch(4 * batch * keys);
  const count = batch * keys;
  to.launch(lengths ? LENGTHS : KEYS, { mask, y }, { count, keys, hidden }, linear(count, WORKGROUP));
  return y;
}

const paddingCode = (lengths: boolean) =>
  shader({
    key: `attention/padding/${lengths ? "lengths" : "keys"}`,
    workgroup: [WORKGROUP],
    bindings: { mask: input("i32"), y: output("f32") },
    uniforms: { count: "u32", keys: "u32", hidden: "f32" },
    body: (s) => wgsl`
      let e = ${s.index};
      if (e >= ${s.count}) { return; }
      let seen = ${lengths ? wgsl`i32(e % ${s.keys}) < mask[e / ${s.keys}]` : "mask[e] > 0"};
      y[e] = select(${s.hidden}, 0.0f, seen);
    `,
  });
const LENGTHS = paddingCode(true);
const KEYS = paddingCode(false);
