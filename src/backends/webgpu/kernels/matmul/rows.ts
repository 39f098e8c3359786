import type { ValueDataType } from "../../../../layouts/index.js";
import { type Epilogue, epilogueKey, type Order } from "../../../specs/matmul/epilogue.js";
import type { ShaderCode } from "../../kernel.js";
import { input, output, type Piece, type Storage, shader, shared, unroll, type Wgsl, wgsl } from "../../wgsl/index.js";
import { valueAt, widen } from "./fill-weights.js";
import { finishText } from "./store.js";

/** Most tokens for which W is read row by row: what bounds the time then is reading W. */
export const MOST_TOKENS = 4;

/** How the rows of W lie in memory, compressed. */
export type RowForm =
  /** Dense rows [M, K] of whole vectors. */
  | { readonly kind: "dense" }
  /**
   * n:m: `w` [M][slots], rows of whole vectors; `kept` [bands of `band` rows][slots] holds places in groups of m, `bits` bits each, rows of
   * whole words.
   */
  | {
      readonly kind: "groups";
      readonly values: ValueDataType;
      readonly n: number;
      readonly m: number;
      readonly band: number;
    }
  /** Compressed sparse rows: `starts` [M + 1], `kept` the columns, 16 or 32 bits each, `w` the values. */
  | { readonly kind: "csr"; readonly values: ValueDataType; readonly indexBits: 16 | 32 }
  /** A bit for each weight, rows of whole words: `kept`; `starts` [M], and `offsets` the number of values before each 256 bits of a row, 16 bits each. */
  | { readonly kind: "bitmask"; readonly values: ValueDataType }
  /** Blocks of height × width: `starts` [block rows + 1], `kept` the block columns, `w` [blocks][height][width]; a width of whole vectors. */
  | {
      readonly kind: "blocks";
      readonly values: ValueDataType;
      readonly height: number;
      readonly width: number;
      readonly indexBits: 16 | 32;
    };

export interface RowShader {
  readonly form: RowForm;
  readonly tokens: number;
  readonly xOrder: Order;
  readonly yOrder: Order;
  readonly epilogue: Epilogue;
  readonly scaled: boolean;
}

export const ROW_UNIFORMS = {
  M: "u32",
  K: "u32",
  N: "u32",
  /** Elements from one token of y to the next, where features are contiguous. */
  yStride: "u32",
  /** Words of a row's (or band's) `kept`. */
  pitch: "u32",
  /** Vectors of a row of `w`, for dense rows and groups. */
  vectors: "u32",
} as const;
export type RowUniform = keyof typeof ROW_UNIFORMS;

/** Threads that share a row, and rows of a workgroup. */
const LANES = 16;
export const ROWS = 4;

const formKey = (form: RowForm): string => Object.values(form).join(":");

/** Y = W · X for few tokens: each row of W is read once, by 16 threads, whose sums are added up in workgroup memory. */
export function rowShader(spec: RowShader): ShaderCode<string, RowUniform> {
  const { form, tokens, epilogue, scaled } = spec;
  const bindings: Record<string, Storage> = {
    w: input(form.kind === "dense" ? "vec4<f32>" : wordType(form)),
    ...(form.kind === "dense" ? {} : { kept: input("u32") }),
    ...(form.kind === "csr" || form.kind === "bitmask" || form.kind === "blocks" ? { starts: input("u32") } : {}),
    ...(form.kind === "bitmask" ? { offsets: input("u32") } : {}),
    x: input("f32"),
    ...(epilogue.bias ? { bias: input("f32") } : {}),
    ...(epilogue.residual ? { residual: input("f32") } : {}),
    ...(scaled ? { scales: input("f32") } : {}),
    y: output("f32"),
  };
  const place = (order: Order, length: Piece, i: Piece, t: number): Wgsl =>
    order === "token-major" ? wgsl`${t}u * ${length} + ${i}` : wgsl`(${i}) * uniforms.N + ${t}u`;
  const x = (k: Piece, t: number): Wgsl => wgsl`x[${place(spec.xOrder, "uniforms.K", k, t)}]`;
  return shader<string, RowUniform, "partial">({
    key: `matmul/rows/${formKey(form)}/${tokens}/${spec.xOrder}/${spec.yOrder}/${epilogueKey(epilogue)}${scaled ? "*" : ""}`,
    workgroup: [LANES * ROWS],
    bindings,
    uniforms: ROW_UNIFORMS,
    shared: { partial: shared("f32", LANES * ROWS * tokens) },
    declarations: () => finishText(epilogue, scaled),
    body: (s) => wgsl`
      let part = ${s.lane} % ${LANES}u;
      let row = ${s.groupIndex} * ${ROWS}u + ${s.lane} / ${LANES}u;
      ${unroll(tokens, (t) => wgsl`var sum_${t} = 0.0;`)}
      if (row < ${s.M!}) {
        ${BODIES[form.kind](form as never, tokens, x)}
      }
      ${unroll(tokens, (t) => wgsl`partial[${s.lane} + ${LANES * ROWS * t}u] = sum_${t};`)}
      for (var width = ${LANES / 2}u; width > 0u; width >>= 1u) {
        workgroupBarrier();
        if (part < width) {
          ${unroll(tokens, (t) => wgsl`partial[${s.lane} + ${LANES * ROWS * t}u] += partial[${s.lane} + ${LANES * ROWS * t}u + width];`)}
        }
      }
      if (part == 0u && row < ${s.M!}) {
        ${unroll(tokens, (t) => {
          const at = place(spec.yOrder, "uniforms.yStride", "row", t);
          const operands = [
            wgsl`vec4<f32>(partial[${s.lane} + ${LANES * ROWS * t}u])`,
            ...(scaled ? [wgsl`vec4<f32>(scales[row])`] : []),
            ...(epilogue.bias ? [wgsl`vec4<f32>(bias[row])`] : []),
            ...(epilogue.residual ? [wgsl`vec4<f32>(residual[${at}])`] : []),
          ];
          return wgsl`y[${at}] = finish(${operands.map((o) => o.text).join(", ")}).x;`;
        })}
      }
    `,
  });
}

/** Elements of `w`: vectors of four values where rows consist of them. */
function wordType(form: Exclude<RowForm, { kind: "dense" }>) {
  if (form.kind === "csr" || form.kind === "bitmask") return form.values === "float32" ? "f32" : "u32";
  return form.values === "float32" ? "vec4<f32>" : form.values === "int8" ? "u32" : "vec2<u32>";
}

type Read = (k: Piece, t: number) => Wgsl;
type Of<Kind> = Extract<RowForm, { kind: Kind }>;

/** Adds the products of four neighbours, `value`, with the x at `ks`. */
const addFour = (tokens: number, x: Read, ks: (j: number) => Piece): Piece =>
  unroll(tokens, (t) => {
    const four = [0, 1, 2, 3].map((j) => x(ks(j), t).text).join(", ");
    return wgsl`sum_${t} += dot(value, vec4<f32>(${four}));`;
  });

/** An index of 16 or 32 bits. */
const indexAt = (bits: 16 | 32, i: string): Wgsl =>
  bits === 32 ? wgsl`kept[${i}]` : wgsl`((kept[${i} >> 1u] >> ((${i} & 1u) << 4u)) & 0xffffu)`;

const BODIES: { readonly [Kind in RowForm["kind"]]: (form: Of<Kind>, tokens: number, x: Read) => Piece } = {
  dense: (_, tokens, x) => wgsl`
    for (var i = part; i < uniforms.vectors; i += ${LANES}u) {
      let value = w[row * uniforms.vectors + i];
      ${addFour(tokens, x, (j) => `4u * i + ${j}u`)}
    }
  `,

  groups({ values, n, m, band }, tokens, x) {
    const bits = 32 - Math.clz32(m - 1);
    // Four indices may lie in two words.
    const whole = 32 % (4 * bits) === 0;
    return wgsl`
      let kept_from = (row / ${band}u) * uniforms.pitch;
      for (var i = part; i < uniforms.vectors; i += ${LANES}u) {
        let value = ${widen(values, "w[row * uniforms.vectors + i]")};
        let bit = i * ${4 * bits}u;
        let word = kept_from + (bit >> 5u);
        var codes = kept[word] >> (bit & 31u);
        ${whole ? [] : wgsl`if ((bit & 31u) > ${32 - 4 * bits}u) { codes |= kept[word + 1u] << (32u - (bit & 31u)); }`}
        ${unroll(4, (j) => wgsl`let k_${j} = min((4u * i + ${j}u) / ${n}u * ${m}u + ((codes >> ${j * bits}u) & ${2 ** bits - 1}u), uniforms.K - 1u);`)}
        ${addFour(tokens, x, (j) => `k_${j}`)}
      }
    `;
  },

  csr: ({ values, indexBits }, tokens, x) => wgsl`
    let end = starts[row + 1u];
    for (var i = starts[row] + part; i < end; i += ${LANES}u) {
      let value = ${valueAt(values, "i")};
      let k = ${indexAt(indexBits, "i")};
      ${unroll(tokens, (t) => wgsl`sum_${t} = fma(value, ${x("k", t)}, sum_${t});`)}
    }
  `,

  bitmask: ({ values }, tokens, x) => wgsl`
    for (var i = part; i < uniforms.pitch; i += ${LANES}u) {
      let word = row * uniforms.pitch + i;
      let place = row * ((uniforms.pitch + 7u) >> 3u) + (i >> 3u);
      var at = starts[row] + ((offsets[place >> 1u] >> ((place & 1u) << 4u)) & 0xffffu);
      for (var before = word - (i & 7u); before < word; before++) {
        at += countOneBits(kept[before]);
      }
      for (var bits = kept[word]; bits != 0u; bits &= bits - 1u) {
        let value = ${valueAt(values, "at")};
        let k = 32u * i + countTrailingZeros(bits);
        ${unroll(tokens, (t) => wgsl`sum_${t} = fma(value, ${x("k", t)}, sum_${t});`)}
        at++;
      }
    }
  `,

  blocks: ({ values, height, width, indexBits }, tokens, x) => wgsl`
    let first = starts[row / ${height}u];
    let inner = row % ${height}u;
    let count = (starts[row / ${height}u + 1u] - first) * ${width / 4}u;
    for (var i = part; i < count; i += ${LANES}u) {
      let block = first + i / ${width / 4}u;
      let value = ${widen(values, `w[(block * ${height}u + inner) * ${width / 4}u + i % ${width / 4}u]`)};
      let k = ${indexAt(indexBits, "block")} * ${width}u + 4u * (i % ${width / 4}u);
      ${addFour(tokens, x, (j) => `min(k + ${j}u, uniforms.K - 1u)`)}
    }
  `,
};
