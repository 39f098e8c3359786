import { type Program, programText, typeOfSlot } from "../../../specs/elementwise/program.js";
import type { ShaderCode } from "../../kernel.js";
import {
  type ArrayName,
  type ElementName,
  input,
  output,
  type Piece,
  type Storage,
  shader,
  type Wgsl,
  wgsl,
} from "../../wgsl/index.js";
import { mathFunctions } from "../math.js";
import { walkFunction, walkUniforms } from "../walk.js";
import { LANE_FUNCTIONS, REGISTERS } from "./lanes.js";
import { stepText } from "./operations.js";
import {
  loadElements,
  loadQuad,
  type Stored,
  splat,
  storageType,
  storedFunctions,
  storedKey,
  storeQuad,
} from "./stored.js";

/** Invocations of a workgroup; each makes four elements. */
export const WORKGROUP = 64;

/**
 * How four consecutive elements of the output read an input: four in a row, the same one four times, or each where the walk says.
 */
export type Reach = "row" | "one" | "walk";

/** A program, and how what it reads and writes lies in memory. */
export interface StoredProgram {
  readonly program: Program;
  readonly inputs: readonly Stored[];
  readonly outputs: readonly Stored[];
}

/** The dtypes whose conversions a program needs. */
function convertedBy({ program, inputs, outputs }: StoredProgram): ReadonlySet<ElementName> {
  const dtypes = new Set([...inputs, ...outputs].map(({ dtype }) => dtype));
  for (const { op } of program.steps) {
    if (op === "ToFloat16") dtypes.add("float16");
    if (op === "ToBfloat16") dtypes.add("bfloat16");
  }
  return dtypes;
}

/**
 * Evaluates the program for each element of the output, four per invocation. `rank` 0: all inputs lie as the output does, or are single
 * elements. Else a walk over the inputs says where they are; `reach` says how each is read.
 */
export function elementwiseCode(stored: StoredProgram, reach: readonly Reach[], rank: number): ShaderCode {
  const { program, inputs, outputs } = stored;
  const bindings: Record<string, Storage> = {};
  inputs.forEach(({ dtype }, i) => {
    bindings[`x${i}`] = input(storageType(dtype, reach[i] === "row" ? "quad" : "element"));
  });
  outputs.forEach(({ dtype }, i) => {
    bindings[`y${i}`] = output(storageType(dtype, "quad"));
  });
  const memory = `${inputs.map(storedKey)}-${outputs.map(storedKey)}`;
  const walked = rank > 0;
  return shader<string, string>({
    key: `elementwise/${walked ? `walk${rank}` : "flat"}/${reach.join()}/${memory}/${programText(program)}`,
    workgroup: [WORKGROUP],
    bindings,
    uniforms: { count: "u32", ...(walked ? walkUniforms(rank, inputs.length) : {}) } as Record<string, "u32" | "i32">,
    declarations: ({ device }) => [
      mathFunctions("vec4<f32>"),
      LANE_FUNCTIONS,
      storedFunctions(
        convertedBy(stored),
        device,
        program.steps.some(({ op }) => op === "ToFloat16"),
      ),
      walked ? walkFunction(rank, inputs.length) : [],
    ],
    body: (s) => wgsl`
      let q = ${s.index};
      if (4u * q >= uniforms.count) { return; }
      ${walked ? placesText(reach) : []}
      ${inputs.map((each, i) => wgsl`let v${i} = ${load(each, s[`x${i}`]!, i, reach[i]!, walked)};`)}
      ${program.steps.map((step, k) => {
        const args = step.args.map((slot) => wgsl`v${slot}`);
        const types = step.args.map((slot) => typeOfSlot(program, slot));
        return wgsl`let v${inputs.length + k}: ${REGISTERS[step.dtype]} = ${stepText(step, args, types)};`;
      })}
      ${outputs.map((each, i) => storeQuad(each, s[`y${i}`]!, "q", wgsl`v${program.outputs[i]!}`, "uniforms.count"))}
    `,
  });
}

/** The places of the first element, and where some input needs them of the other three. */
function placesText(reach: readonly Reach[]): Piece {
  if (!reach.includes("walk")) return wgsl`let p0 = walk(4u * q);`;
  const place = (k: number): Piece => wgsl`let p${k} = walk(min(4u * q + ${k}u, uniforms.count - 1u));`;
  return [0, 1, 2, 3].map(place);
}

function load(stored: Stored, array: ArrayName, i: number, reach: Reach, walked: boolean): Wgsl {
  if (!walked) return reach === "row" ? loadQuad(stored, array, "q") : splat(stored, array, "0u");
  if (reach === "row") return loadQuad(stored, array, wgsl`p0[${i}] >> 2u`);
  if (reach === "one") return splat(stored, array, wgsl`p0[${i}]`);
  return loadElements(stored, array, [wgsl`p0[${i}]`, wgsl`p1[${i}]`, wgsl`p2[${i}]`, wgsl`p3[${i}]`]);
}
