import { type DeviceInfo, type ShaderCode, uniformsIn } from "../kernel.js";
import {
  type ElementName,
  elementFunctions,
  elementType,
  isElementName,
  loadElement,
  storeElement,
} from "./elements.js";
import { type Piece, Wgsl, wgsl } from "./text.js";

type Scalar = "f32" | "f16" | "i32" | "u32";
/** An element of an array in memory. */
export type ElementType = Scalar | `vec${2 | 3 | 4}<${Scalar}>` | "atomic<u32>" | "atomic<i32>";

/**
 * A storage buffer as an array of elements of this type. Where the type is a dtype's name, what lies in memory depends on the device:
 * such an array is read by `load` and written by `store`.
 */
export interface Storage<A extends "read" | "read_write" = "read" | "read_write"> {
  readonly type: ElementType | ElementName;
  readonly access: A;
}

/** A storage buffer that the shader reads. */
export const input = (type: Storage["type"]): Storage<"read"> => ({ type, access: "read" });
/** A storage buffer that the shader writes, and may read. */
export const output = (type: Storage["type"]): Storage<"read_write"> => ({ type, access: "read_write" });

/** A fixed array in workgroup memory. */
export interface Shared {
  readonly type: ElementType;
  readonly length: number;
}
export const shared = (type: Shared["type"], length: number): Shared => ({ type, length });

/** An array in memory: its name in a template, and its elements. */
export class ArrayName extends Wgsl {
  readonly #mask: number | null;
  readonly #dtype: { readonly name: ElementName; readonly device: DeviceInfo } | null;
  constructor(name: string, length: number | null, type: Storage["type"], device: DeviceInfo) {
    super(name);
    this.#mask = length !== null && (length & (length - 1)) === 0 ? length - 1 : null;
    this.#dtype = isElementName(type) ? { name: type, device } : null;
  }

  /**
   * The element at a u32 index. Where the array has a power of two elements, the index is masked, which is how the compiler of the GPU
   * knows that it needs no bounds check; it must be in range all the same.
   */
  at(index: Piece): Wgsl {
    return this.#mask === null ? wgsl`${this}[${index}]` : wgsl`${this}[(${index}) & ${this.#mask}u]`;
  }

  /** The element at a u32 index, in its register: floats of any size as f32. */
  load(index: Piece): Wgsl {
    return this.#dtype === null ? this.at(index) : loadElement(this.#dtype.name, this, index, this.#dtype.device);
  }

  /** A statement that writes a register's value to a u32 index: floats of any size from f32. */
  store(index: Piece, value: Piece): Wgsl {
    if (this.#dtype === null) return wgsl`${this.at(index)} = ${value};`;
    return storeElement(this.#dtype.name, this, index, value, this.#dtype.device);
  }
}

/** Built-in values by the names that they have in a body. All u32. */
export interface Builtins {
  /** Place in the grid of all invocations. */
  readonly global: { readonly x: Wgsl; readonly y: Wgsl; readonly z: Wgsl };
  /** Place of the workgroup. */
  readonly group: { readonly x: Wgsl; readonly y: Wgsl; readonly z: Wgsl };
  /** Place in the workgroup. */
  readonly local: { readonly x: Wgsl; readonly y: Wgsl; readonly z: Wgsl };
  /** Place in the workgroup, x fastest. */
  readonly lane: Wgsl;
  /** Number of this invocation in a grid made by `linear`: counts on over x, then y. */
  readonly index: Wgsl;
  /** Number of this workgroup in a grid made by `linear`. */
  readonly groupIndex: Wgsl;
  /** Where the device has subgroups and the shader says so. */
  readonly subgroupLane: Wgsl;
  readonly subgroupSize: Wgsl;
}

export type UniformType = "u32" | "i32" | "f32";

/** What a body can name. */
export type Scope<B extends string, U extends string, S extends string> = Builtins & {
  readonly [K in B | S]: ArrayName;
} & {
  readonly [K in U]: Wgsl;
} & { readonly device: DeviceInfo };

/** A shader to be generated. */
export interface ShaderSource<B extends string, U extends string, S extends string> {
  /** Everything that the text depends on besides the device. */
  readonly key: string;
  /** Invocations of a workgroup along x, y, z: a product of at most 256. */
  readonly workgroup: readonly [x: number, y?: number, z?: number];
  readonly bindings: Readonly<Record<B, Storage>>;
  readonly uniforms?: Readonly<Record<U, UniformType>>;
  /** Arrays in workgroup memory: 16 KiB in all, unless the device's limits say more. */
  readonly shared?: Readonly<Partial<Record<S, Shared>>>;
  /** Uses subgroup operations: only where `device.subgroups` is not null. */
  readonly subgroups?: boolean;
  /** Functions and structs in front of the entry point. */
  readonly declarations?: (scope: Scope<B, U, S>) => Piece;
  /** Statements of the entry point. */
  readonly body: (scope: Scope<B, U, S>) => Piece;
}

const xyz = (name: string) => ({
  x: new Wgsl(`${name}.x`),
  y: new Wgsl(`${name}.y`),
  z: new Wgsl(`${name}.z`),
});

const GROUP_INDEX = "(group_id.y * group_count.x + group_id.x)";

/**
 * A compute shader. The storage bindings are `@group(0) @binding(0…)` in their order; one struct of all uniforms is in immediates, or
 * follows them where the device has no room for it there.
 *
 * ```ts
 * const scale = shader({
 *   key: "scale",
 *   workgroup: [64],
 *   bindings: { x: input("f32"), y: output("f32") },
 *   uniforms: { n: "u32", by: "f32" },
 *   body: (s) => wgsl`
 *     if (${s.index} >= ${s.n}) { return; }
 *     ${s.y.at(s.index)} = ${s.x.at(s.index)} * ${s.by};
 *   `,
 * });
 * to.launch(scale, { x, y }, { n, by: 2 }, linear(n, 64));
 * ```
 */
export function shader<B extends string, U extends string = never, S extends string = never>(
  source: ShaderSource<B, U, S>,
): ShaderCode<B, U> {
  const bindings = Object.entries(source.bindings) as [B, Storage][];
  const uniforms = Object.entries(source.uniforms ?? {}) as [U, UniformType][];
  return {
    key: source.key,
    bindings: bindings.map(([name, { access }]) => ({ name, access })),
    uniforms: uniforms.map(([name, type]) => ({ name, type })),
    build: (device) => `${textOf(source, bindings, uniforms, device)}\n`,
  };
}

function textOf<B extends string, U extends string, S extends string>(
  source: ShaderSource<B, U, S>,
  bindings: readonly [B, Storage][],
  uniforms: readonly [U, UniformType][],
  device: DeviceInfo,
): string {
  const arrays = Object.entries(source.shared ?? {}) as [S, Shared][];
  const names = [
    ...bindings.map(([name, { type }]) => [name, new ArrayName(name, null, type, device)] as const),
    ...arrays.map(([name, { type, length }]) => [name, new ArrayName(name, length, type, device)] as const),
    ...uniforms.map(([name]) => [name, new Wgsl(`uniforms.${name}`)] as const),
  ];
  const [x, y = 1, z = 1] = source.workgroup;
  const scope = {
    ...Object.fromEntries(names),
    device,
    global: xyz("global_id"),
    group: xyz("group_id"),
    local: xyz("local_id"),
    lane: new Wgsl("lane"),
    index: new Wgsl(`(${GROUP_INDEX} * ${x * y * z}u + lane)`),
    groupIndex: new Wgsl(GROUP_INDEX),
    subgroupLane: new Wgsl("subgroup_lane"),
    subgroupSize: new Wgsl("subgroup_size"),
  } as unknown as Scope<B, U, S>;
  const elements = bindings.map(([, { type, access }]) =>
    isElementName(type) ? elementType(type, access, device) : type,
  );
  const storage = bindings.map(
    ([name, { access }], i) => wgsl`@group(0) @binding(${i}) var<storage, ${access}> ${name}: array<${elements[i]!}>;`,
  );
  const place = uniformsIn(uniforms.length, device);
  const struct = place === "none" ? [] : uniformText(uniforms, place, bindings.length);
  const body = source.body(scope);
  const declarations = source.declarations?.(scope) ?? [];
  const packed = elementFunctions(wgsl`${[body, declarations]}`.text);
  const used = [body, declarations, ...elements, ...arrays.map(([, { type }]) => type)];
  const half = used.some((piece) => /\bf16\b|\dh\b/.test(wgsl`${piece}`.text));
  const parts: Piece[] = [
    half ? "enable f16;" : [],
    source.subgroups ? "enable subgroups;" : [],
    place === "immediates" ? "requires immediate_address_space;" : [],
    storage,
    struct,
    arrays.map(([name, { type, length }]) => wgsl`var<workgroup> ${name}: array<${type}, ${length}>;`),
    packed,
    declarations,
    wgsl`
      @compute @workgroup_size(${x}, ${y}, ${z})
      fn main(
        @builtin(global_invocation_id) global_id: vec3<u32>,
        @builtin(local_invocation_id) local_id: vec3<u32>,
        @builtin(local_invocation_index) lane: u32,
        @builtin(workgroup_id) group_id: vec3<u32>,
        @builtin(num_workgroups) group_count: vec3<u32>,
        ${source.subgroups ? SUBGROUP_BUILTINS : []}
      ) {
        ${body}
      }
    `,
  ];
  return wgsl`${parts}`.text;
}

const SUBGROUP_BUILTINS = [
  "@builtin(subgroup_invocation_id) subgroup_lane: u32,",
  "@builtin(subgroup_size) subgroup_size: u32,",
];

const uniformText = (
  uniforms: readonly [string, UniformType][],
  place: "immediates" | "buffer",
  binding: number,
): Piece => [
  wgsl`
    struct Uniforms {
      ${uniforms.map(([name, type]) => `${name}: ${type},`)}
    }
  `,
  place === "immediates"
    ? "var<immediate> uniforms: Uniforms;"
    : wgsl`@group(0) @binding(${binding}) var<uniform> uniforms: Uniforms;`,
];
