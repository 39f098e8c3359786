import type { ShaderCode } from "../../kernel.js";
import {
  type ElementType,
  input,
  output,
  type Piece,
  type Storage,
  shader,
  type UniformType,
  unroll,
  wgsl,
} from "../../wgsl/index.js";

/** Bytes of what is moved as one: elements, or four of 4 bytes together. */
export type MovedBytes = 1 | 2 | 4 | 8 | 16;

export const WORKGROUP = 64;

const STORED: Readonly<Record<MovedBytes, ElementType>> = {
  1: "u32",
  2: "u32",
  4: "u32",
  8: "vec2<u32>",
  16: "vec4<u32>",
};

/** The place of nothing: the element gets the fill. */
export const NOWHERE = "0xffffffffu";

/** An output made of an input's elements. */
export interface Rearrangement {
  readonly key: string;
  readonly bytes: MovedBytes;
  /** Beside `count`, the number of elements. */
  readonly uniforms: Readonly<Record<string, UniformType>>;
  /** Beside x and y. */
  readonly bindings?: Readonly<Record<string, Storage>>;
  /** The function `source(e: u32) -> u32`: where element e of the output comes from, or NOWHERE. */
  readonly source: Piece;
  /** What elements from nowhere are: zero, or the first element of the binding `fill`. */
  readonly fill?: "zero" | "value";
  /** With zeros from nowhere: y keeps the bits that it has, so that several launches make it, each from a part of x. */
  readonly merge?: boolean;
}

/** Elements that one invocation makes: those of a word. */
export const perInvocation = (bytes: MovedBytes): number => Math.max(1, 4 / bytes);

/** y[e] = x[source(e)] for each e below `count`. Elements of less than 4 bytes are made a word at a time. */
export function rearrangeCode({
  key,
  bytes,
  uniforms,
  bindings,
  source,
  fill,
  merge = false,
}: Rearrangement): ShaderCode {
  const type = STORED[bytes];
  const filling: Record<string, Storage> = fill === "value" ? { fill: input(type) } : {};
  const all: Record<string, Storage> = { x: input(type), ...bindings, ...filling, y: output(type) };
  const counted: Record<string, UniformType> = { count: "u32", ...uniforms };
  const none = fill === "value" ? "fill[0]" : `${type}()`;
  const per = perInvocation(bytes);
  const assign = merge ? "|=" : "=";
  const element = (e: Piece): Piece => {
    if (fill === undefined) return wgsl`element(source(${e}))`;
    return wgsl`filled(source(${e}))`;
  };
  return shader({
    key: `${key}/${bytes}${fill === undefined ? "" : `/${fill}`}${merge ? "/merge" : ""}`,
    workgroup: [WORKGROUP],
    bindings: all,
    uniforms: counted,
    declarations: () => [
      source,
      wgsl`
        fn element(place: u32) -> ${type} {
          ${
            per === 1
              ? "return x[place];"
              : wgsl`return (x[place / ${per}u] >> (${8 * bytes}u * (place % ${per}u))) & ${2 ** (8 * bytes) - 1}u;`
          }
        }
      `,
      fill === undefined
        ? []
        : wgsl`
            fn filled(place: u32) -> ${type} {
              if (place == ${NOWHERE}) { return ${per === 1 || fill === "zero" ? none : wgsl`fill[0] & ${2 ** (8 * bytes) - 1}u`}; }
              return element(place);
            }
          `,
    ],
    body: (s) => wgsl`
      let e = ${per}u * ${s.index};
      if (e >= uniforms.count) { return; }
      ${
        per === 1
          ? wgsl`y[e] ${assign} ${element("e")};`
          : wgsl`
              let last = uniforms.count - 1u;
              y[e / ${per}u] ${assign} ${unroll(
                per,
                (k) => wgsl`${element(`min(e + ${k}u, last)`)} << ${8 * bytes * k}u`,
              )
                .map(String)
                .map((part) => `(${part})`)
                .join(" | ")};
            `
      }
    `,
  });
}
