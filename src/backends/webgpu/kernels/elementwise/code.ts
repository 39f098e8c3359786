import type { LaneType } from "../../../specs/elementwise/lanes.js";
import { type Program, programText } from "../../../specs/elementwise/program.js";
import type { ShaderCode } from "../../kernel.js";
import { input, output, type Piece, type Storage, shader, type Wgsl, wgsl } from "../../wgsl/index.js";
import { mathFunctions } from "../math.js";
import { walkFunction, walkUniforms } from "../walk.js";
import { LANE_FUNCTIONS, loadElements, loadQuad, REGISTERS, splat, storageType, storeQuad } from "./lanes.js";
import { stepText } from "./operations.js";

/** Invocations of a workgroup; each makes four elements. */
export const WORKGROUP = 64;

/**
 * How four consecutive elements of the output read an input: four in a row, the same one four times, or each where the walk says.
 */
export type Reach = "row" | "one" | "walk";

export const typeOfSlot = ({ inputs, steps }: Program, slot: number): LaneType =>
  inputs[slot] ?? steps[slot - inputs.length]!.dtype;

/**
 * Evaluates the program for each element of the output, four per invocation. `rank` 0: all inputs lie as the output does, or are single
 * elements. Else a walk over the inputs says where they are; `reach` says how each is read.
 */
export function elementwiseCode(program: Program, reach: readonly Reach[], rank: number): ShaderCode {
  const { inputs, steps, outputs } = program;
  const bindings: Record<string, Storage> = {};
  inputs.forEach((dtype, i) => {
    bindings[`x${i}`] = input(storageType(dtype, reach[i] === "row" ? "quad" : "element"));
  });
  outputs.forEach((slot, i) => {
    bindings[`y${i}`] = output(storageType(typeOfSlot(program, slot), "quad"));
  });
  const walked = rank > 0;
  return shader({
    key: `elementwise/${walked ? `walk${rank}` : "flat"}/${reach.join()}/${programText(program)}`,
    workgroup: [WORKGROUP],
    bindings,
    uniforms: { count: "u32", ...(walked ? walkUniforms(rank, inputs.length) : {}) } as Record<string, "u32" | "i32">,
    declarations: () => [mathFunctions("vec4<f32>"), LANE_FUNCTIONS, walked ? walkFunction(rank, inputs.length) : []],
    body: (s) => wgsl`
      let q = ${s.index};
      if (4u * q >= uniforms.count) { return; }
      ${walked ? placesText(reach) : []}
      ${inputs.map((dtype, i) => wgsl`let v${i} = ${load(dtype, i, reach[i]!, walked)};`)}
      ${steps.map((step, k) => {
        const args = step.args.map((slot) => wgsl`v${slot}`);
        const types = step.args.map((slot) => typeOfSlot(program, slot));
        return wgsl`let v${inputs.length + k}: ${REGISTERS[step.dtype]} = ${stepText(step, args, types)};`;
      })}
      ${outputs.map((slot, i) => storeQuad(typeOfSlot(program, slot), `y${i}`, "q", `v${slot}`, "uniforms.count"))}
    `,
  });
}

/** The places of the first element, and where some input needs them of the other three. */
function placesText(reach: readonly Reach[]): Piece {
  if (!reach.includes("walk")) return wgsl`let p0 = walk(4u * q);`;
  const place = (k: number): Piece => wgsl`let p${k} = walk(min(4u * q + ${k}u, uniforms.count - 1u));`;
  return [0, 1, 2, 3].map(place);
}

function load(dtype: LaneType, i: number, reach: Reach, walked: boolean): Wgsl {
  const name = `x${i}`;
  if (!walked) return reach === "row" ? loadQuad(dtype, name, "q") : splat(dtype, name, "0u");
  if (reach === "row") return loadQuad(dtype, name, wgsl`p0[${i}] >> 2u`);
  if (reach === "one") return splat(dtype, name, wgsl`p0[${i}]`);
  return loadElements(dtype, name, [wgsl`p0[${i}]`, wgsl`p1[${i}]`, wgsl`p2[${i}]`, wgsl`p3[${i}]`]);
}
