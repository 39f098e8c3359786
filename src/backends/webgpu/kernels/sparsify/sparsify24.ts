import type { Value } from "../../../../graph/index.js";
import {
  resultBytes,
  type Selection,
  type SparsifySpec,
  type SparsifyType,
  sparsifyCost,
  sparsifySpec,
} from "../../../specs/sparsify.js";
import { anyKernel, type Buffer, type Kernel, type ShaderCode } from "../../kernel.js";
import { input, output, type Piece, shader, shared, type Wgsl, wgsl } from "../../wgsl/index.js";
import { keepFunction } from "./select.js";

/** Rows and columns of a workgroup's block: a word of codes holds eight tiles. */
const BLOCK = 32;

/**
 * ai.nonzero Sparsify24, and Sparsify24Like, which trusts that each tile of its mask is 2:4 both ways; of whole blocks of 32×32. An invocation
 * a tile; the codes and masks of a block meet in workgroup memory and are written as whole words.
 */
const sparsify24: Kernel<SparsifySpec, null> = {
  name: "sparsify 2:4 both ways",
  match(node, at) {
    const spec = sparsifySpec(node, at);
    return spec !== null && spec.rows % BLOCK === 0 && spec.cols % BLOCK === 0 ? spec : null;
  },
  schedules: () => [null],
  lower(spec, _, node, to) {
    const { selection, dtype, rows, cols } = spec;
    const [x, given] = node.inputs.map((value) => to.buffer(value!));
    const bytes = resultBytes(spec);
    // What nobody reads goes to memory of its own.
    const buffer = (value: Value | null | undefined, size: number): Buffer =>
      value == null ? to.scratch(size) : to.buffer(value);
    const workgroups = [cols / BLOCK, rows / BLOCK] as const;
    const uniforms = { rows, cols };
    if (selection === "given") {
      const [packed, packedT] = node.outputs;
      const bindings = {
        x: x!,
        mask: given!,
        packed: buffer(packed, bytes.packed),
        packed_t: buffer(packedT, bytes.packedT),
      };
      to.launch(likeCode(dtype), bindings, uniforms, workgroups);
      return;
    }
    const [packed, meta, packedT, metaT, mask] = node.outputs;
    const bindings = {
      x: x!,
      packed: buffer(packed, bytes.packed),
      indices: buffer(meta, bytes.meta),
      packed_t: buffer(packedT, bytes.packedT),
      indices_t: buffer(metaT, bytes.metaT),
      mask: buffer(mask, bytes.mask),
    };
    to.launch(sparsifyCode(selection, dtype), bindings, uniforms, workgroups);
  },
  cost: sparsifyCost,
};

const UNIFORMS = { rows: "u32", cols: "u32" } as const;

/** Elements as bits: what a row of a tile and two values of it are in memory. */
const typesOf = (dtype: SparsifyType) =>
  dtype === "float32" ? (["vec4<u32>", "vec2<u32>"] as const) : (["vec2<u32>", "u32"] as const);

/** What Sparsify24 and Sparsify24Like share: lines of four elements and the two of them that are kept. */
const lineFunctions = (dtype: SparsifyType): Piece => [
  dtype === "float32"
    ? wgsl`
        fn elements(row: vec4<u32>) -> vec4<u32> {
          return row;
        }
        fn pair(first: u32, second: u32) -> vec2<u32> {
          return vec2<u32>(first, second);
        }
      `
    : wgsl`
        fn elements(row: vec2<u32>) -> vec4<u32> {
          return vec4<u32>(row.x & 0xffffu, row.x >> 16u, row.y & 0xffffu, row.y >> 16u);
        }
        fn pair(first: u32, second: u32) -> u32 {
          return first | (second << 16u);
        }
      `,
  wgsl`
    fn kept(line: vec4<u32>, bits: u32) -> ${typesOf(dtype)[1]} {
      let keep = (vec4<u32>(bits) & vec4<u32>(1u, 2u, 4u, 8u)) != vec4<u32>(0u);
      let values = select(vec4<u32>(0u), line, keep);
      let first = select(select(values.z, values.y, keep.y), values.x, keep.x);
      let second = select(select(0u, values.y, keep.x), values.z, keep.z && (keep.x || keep.y));
      return pair(first, select(second, values.w, keep.w));
    }
    fn row_bits(mask: u32, row: u32) -> u32 {
      return (mask >> (4u * row)) & 15u;
    }
    fn column_bits(mask: u32, col: u32) -> u32 {
      let bits = mask >> col;
      return (bits & 1u) | ((bits >> 3u) & 2u) | ((bits >> 6u) & 4u) | ((bits >> 9u) & 8u);
    }
  `,
];

const four = (text: (i: number) => Wgsl): Piece => [0, 1, 2, 3].map(text);

/** Statements that read the tile's rows, once `block` is known. */
const readRows = (x: Piece, cols: Piece): Wgsl => wgsl`
  let across = ${cols} >> 2u;
  let tile_row = 8u * block.y + (lane >> 3u);
  let tile_col = 8u * block.x + (lane & 7u);
  ${four((r) => wgsl`let row${r} = elements(${x}[(4u * tile_row + ${r}u) * across + tile_col]);`)}
`;

const writePairs = (packed: Piece, packedT: Piece, rows: Piece): Wgsl => wgsl`
  ${four((r) => wgsl`${packed}[(4u * tile_row + ${r}u) * across + tile_col] = kept(row${r}, row_bits(tile, ${r}u));`)}
  let down = ${rows} >> 2u;
  ${four((c) => wgsl`${packedT}[(4u * tile_col + ${c}u) * down + tile_row] = kept(vec4<u32>(${four((r) => wgsl`row${r}[${c}]${r < 3 ? "," : ""}`)}), column_bits(tile, ${c}u));`)}
`;

const likeCode = (dtype: SparsifyType): ShaderCode<"x" | "mask" | "packed" | "packed_t", keyof typeof UNIFORMS> =>
  shader({
    key: `sparsify24-like/${dtype}`,
    workgroup: [64],
    bindings: {
      x: input(typesOf(dtype)[0]),
      mask: input("u32"),
      packed: output(typesOf(dtype)[1]),
      packed_t: output(typesOf(dtype)[1]),
    },
    uniforms: UNIFORMS,
    declarations: () => lineFunctions(dtype),
    body: (s) => wgsl`
      let block = vec2<u32>(${s.group.x}, ${s.group.y});
      ${readRows(s.x, s.cols)}
      let at = tile_row * across + tile_col;
      let tile = (${s.mask}[at >> 1u] >> (16u * (at & 1u))) & 0xffffu;
      ${writePairs(s.packed, s.packed_t, s.rows)}
    `,
  });

type Results = "packed" | "indices" | "packed_t" | "indices_t" | "mask";

const sparsifyCode = (
  selection: Exclude<Selection, "given">,
  dtype: SparsifyType,
): ShaderCode<"x" | Results, keyof typeof UNIFORMS> =>
  shader({
    key: `sparsify24/${selection}/${dtype}`,
    workgroup: [64],
    bindings: {
      x: input(typesOf(dtype)[0]),
      packed: output(typesOf(dtype)[1]),
      indices: output("u32"),
      packed_t: output(typesOf(dtype)[1]),
      indices_t: output("u32"),
      mask: output("u32"),
    },
    uniforms: UNIFORMS,
    shared: { codes: shared("u32", 64), tiles: shared("u32", 64) },
    declarations: () => [
      lineFunctions(dtype),
      keepFunction(selection, dtype),
      wgsl`
        fn code(bits: u32) -> u32 {
          return (select(0x000e0dceu, 0x098e498eu, bits < 8u) >> (4u * (bits & 7u))) & 15u;
        }
      `,
    ],
    body: (s) => wgsl`
      let block = vec2<u32>(${s.group.x}, ${s.group.y});
      ${readRows(s.x, s.cols)}
      let tile = keep(array<u32, 16>(
        ${four((r) => wgsl`row${r}.x, row${r}.y, row${r}.z, row${r}.w,`)}
      ));
      ${writePairs(s.packed, s.packed_t, s.rows)}
      var own_codes = 0u;
      ${four((i) => wgsl`own_codes |= (code(row_bits(tile, ${i}u)) << ${4 * i}u) | (code(column_bits(tile, ${i}u)) << ${16 + 4 * i}u);`)}
      ${s.codes.at("lane")} = own_codes;
      ${s.tiles.at("lane")} = tile;
      workgroupBarrier();
      let line = lane & 31u;
      let nibble = 4u * (line & 3u);
      var word = 0u;
      if (lane < 32u) {
        for (var i = 0u; i < 8u; i++) {
          word |= ((${s.codes.at("(line & ~3u) * 2u + i")} >> nibble) & 15u) << (4u * i);
        }
        ${s.indices}[(32u * block.y + line) * (${s.cols} >> 5u) + block.x] = word;
        let first = 2u * line;
        let at = (8u * block.y + (line >> 2u)) * across + 8u * block.x + (first & 7u);
        ${s.mask}[at >> 1u] = ${s.tiles.at("first")} | (${s.tiles.at("first + 1u")} << 16u);
      } else {
        for (var i = 0u; i < 8u; i++) {
          word |= ((${s.codes.at("8u * i + (line >> 2u)")} >> (16u + nibble)) & 15u) << (4u * i);
        }
        ${s.indices_t}[(32u * block.x + line) * (${s.rows} >> 5u) + block.y] = word;
      }
    `,
  });

export const sparsify24Kernel: Kernel = anyKernel(sparsify24);
