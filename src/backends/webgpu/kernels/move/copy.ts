import { sizeOf, stridesOf } from "../../../../tensor/index.js";
import { collapse } from "../../../specs/walk.js";
import type { Buffer, Lowering, ShaderCode } from "../../kernel.js";
import { input, linear, output, shader, type UniformType, wgsl } from "../../wgsl/index.js";
import { walkFunction, walkUniforms, walkValues } from "../walk.js";
import { type MovedBytes, perInvocation, rearrangeCode, WORKGROUP } from "./rearrange.js";

interface Side {
  readonly buffer: Buffer;
  /** First element. */
  readonly start: number;
  /** Step of each axis, in elements. */
  readonly strides: readonly number[];
}

/** Elements copied from one tensor to another, along common axes. */
export interface StridedCopy {
  readonly bytes: MovedBytes;
  readonly dims: readonly number[];
  readonly into: Side;
  readonly from: Side;
}

/** Adds the launch of a strided copy: what Transpose, Slice, Concat, Split, Expand, … all are. */
export function launchCopy(to: Lowering, copy: StridedCopy): void {
  const { bytes, dims, into, from } = inVectors(copy);
  if (dims.includes(0)) return;
  const count = sizeOf(dims);
  const whole =
    into.start === 0 && into.strides.join() === stridesOf(dims).join() && into.buffer.bytes <= count * bytes;
  if (whole) {
    const walk = collapse({ dims, strides: [from.strides, stridesOf(dims)] });
    const reads = { dims: walk.dims, strides: [walk.strides[0]!] };
    const uniforms = { count, ...walkValues(reads, [from.start]) };
    const grid = linear(Math.ceil(count / perInvocation(bytes)), WORKGROUP);
    to.launch(gatherCode(bytes, walk.dims.length), { x: from.buffer, y: into.buffer }, uniforms, grid);
    return;
  }
  const walk = collapse({ dims, strides: [from.strides, into.strides] });
  const uniforms = { count, ...walkValues(walk, [from.start, into.start]) };
  const code = scatterCode(bytes, walk.dims.length);
  to.launch(code, { x: from.buffer, y: into.buffer }, uniforms, linear(count, WORKGROUP));
}

/** The same copy by vectors of four elements, where all begins and steps allow it. */
function inVectors(copy: StridedCopy): StridedCopy {
  const { bytes, dims, into, from } = copy;
  const last = dims.length - 1;
  const fits = (side: Side): boolean =>
    side.start % 4 === 0 &&
    side.strides.every((stride, axis) => (axis === last ? stride === 1 : stride % 4 === 0 || dims[axis] === 1));
  if (bytes !== 4 || last < 0 || dims[last]! % 4 !== 0 || !fits(into) || !fits(from)) return copy;
  const quarter = (side: Side): Side => ({
    buffer: side.buffer,
    start: side.start / 4,
    strides: side.strides.map((stride, axis) => (axis === last ? 1 : Math.trunc(stride / 4))),
  });
  return {
    bytes: 16,
    dims: dims.map((dim, axis) => (axis === last ? dim / 4 : dim)),
    into: quarter(into),
    from: quarter(from),
  };
}

const gatherCode = (bytes: MovedBytes, rank: number): ShaderCode =>
  rearrangeCode({
    key: `copy/gather${rank}`,
    bytes,
    uniforms: walkUniforms(rank, 1),
    source: wgsl`
      ${walkFunction(rank, 1)}
      fn source(e: u32) -> u32 {
        return walk(e)[0];
      }
    `,
  });

/** y[places of y] = x[places of x]. Elements of less than a word share it with others, so their bits are cleared and set atomically. */
function scatterCode(bytes: MovedBytes, rank: number): ShaderCode {
  const uniforms: Record<string, UniformType> = { count: "u32", ...walkUniforms(rank, 2) };
  const type = bytes === 16 ? "vec4<u32>" : bytes === 8 ? "vec2<u32>" : "u32";
  const small = bytes < 4;
  const per = perInvocation(bytes);
  const mask = 2 ** (8 * bytes) - 1;
  return shader({
    key: `copy/scatter${rank}/${bytes}`,
    workgroup: [WORKGROUP],
    bindings: { x: input(type), y: output(small ? "atomic<u32>" : type) },
    uniforms,
    declarations: () => walkFunction(rank, 2),
    body: (s) => wgsl`
      let e = ${s.index};
      if (e >= uniforms.count) { return; }
      let place = walk(e);
      ${
        small
          ? wgsl`
              let value = (x[place[0] / ${per}u] >> (${8 * bytes}u * (place[0] % ${per}u))) & ${mask}u;
              let shift = ${8 * bytes}u * (place[1] % ${per}u);
              atomicAnd(&y[place[1] / ${per}u], ~(${mask}u << shift));
              atomicOr(&y[place[1] / ${per}u], value << shift);
            `
          : "y[place[1]] = x[place[0]];"
      }
    `,
  });
}
