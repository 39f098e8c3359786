import type { Program } from "../../../specs/elementwise/program.js";
import type { Buffer, Lowering } from "../../kernel.js";
import { type FloatName, linear } from "../../wgsl/index.js";
import { elementwiseCode, WORKGROUP } from "./code.js";

const COPY: Program = { inputs: ["float32"], steps: [], outputs: [0] };

interface Floats {
  readonly buffer: Buffer;
  readonly dtype: FloatName;
}

/** Adds the launch that copies `count` floats from one dtype to another. */
export function launchConversion(to: Lowering, from: Floats, into: Floats, count: number): void {
  const stored = ({ dtype }: Floats) => ({ dtype, shifted: false });
  const code = elementwiseCode({ program: COPY, inputs: [stored(from)], outputs: [stored(into)] }, ["row"], 0);
  to.launch(code, { x0: from.buffer, y0: into.buffer }, { count }, linear(Math.ceil(count / 4), WORKGROUP));
}
