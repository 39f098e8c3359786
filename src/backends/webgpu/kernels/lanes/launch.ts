import type { Value } from "../../../../graph/index.js";
import { type Epilogue, NO_EPILOGUE } from "../../../specs/matmul/epilogue.js";
import { type Buffer, type DeviceInfo, type Lowering, largestBuffer } from "../../kernel.js";
import { type ProductUniform, productShader, TOKENS } from "./product.js";
import type { PackedWeights } from "./weights.js";

/** Uniforms that a launch need not say are for one head, packed weights and tokens without windows. */
const PLAIN = {
  line: 0,
  xOfLine: 0,
  heads: 1,
  xHead: 0,
  yHead: 0,
  wOfRow: 0,
  wOfK: 0,
  wBatch: 0,
  wHead: 0,
  sharing: 1,
};
type Strides = Omit<Record<ProductUniform, number>, "M" | "N" | "K" | "steps" | keyof typeof PLAIN> &
  Partial<typeof PLAIN>;

/** A product to be launched; see product.ts for the strides. */
export interface ProductLaunch {
  readonly weight: Value;
  readonly packed: PackedWeights;
  /** What `packed` depends on beside the weight. */
  readonly key: string;
  readonly M: number;
  readonly K: number;
  readonly N: number;
  readonly batch: number;
  readonly strides: Strides;
  readonly epilogue: Epilogue;
  readonly x: Buffer;
  readonly y: Buffer;
  readonly bias: Buffer | null;
  readonly residual: Buffer | null;
  /** One factor a row. */
  readonly scales: Float32Array | null;
}

/** Whether W [M, K] packed as it may be fits a buffer, and the tokens a grid. */
export const isWithin = (M: number, K: number, N: number, device: DeviceInfo): boolean =>
  4 * (M + 16) * (K + 4) <= largestBuffer(device) && Math.max(M, N) <= TOKENS * 65535;

/** Adds the launch that multiplies. */
export function launchProduct(to: Lowering, spec: ProductLaunch): void {
  const { weight, packed, key, M, K, N, batch, strides, epilogue, scales } = spec;
  const { rows, columns, values, steps, bytes, fill } = packed;
  const form = (name: keyof PackedWeights["fill"]): Buffer =>
    to.prepared(weight, `lanes/${key}/${name}`, bytes[name], fill[name]);
  const code = productShader({
    ...{ rows, columns, values, epilogue, scaled: scales !== null, strided: false, windows: (strides.line ?? 0) > 0 },
    ...{ wholeK: K % 4 === 0, wholeM: M % 4 === 0 },
  });
  const bindings: Record<string, Buffer> = { w: form("w"), x: spec.x, y: spec.y };
  if (columns !== "all") bindings.kept = form("kept");
  if (columns === "list" || columns === "runs") bindings.starts = form("starts");
  for (const name of ["bias", "residual"] as const) if (spec[name] !== null) bindings[name] = spec[name];
  if (scales !== null) {
    bindings.scales = to.prepared(weight, `lanes/${key}/scales`, Math.max(16, 4 * M), (target) => {
      new Float32Array(target.buffer, target.byteOffset, M).set(scales);
    });
  }
  const grid = [Math.ceil(M / rows), Math.ceil(N / TOKENS), batch] as const;
  to.launch(code, bindings, { M, N, K, steps, ...PLAIN, ...strides }, grid);
}

/** Two activations to be multiplied: W [M, K] and x, each where its strides say. */
export interface StridedLaunch {
  readonly M: number;
  readonly K: number;
  readonly N: number;
  /** Batch entries times heads. */
  readonly count: number;
  readonly strides: Strides;
  readonly alpha: number;
  readonly w: Buffer;
  readonly x: Buffer;
  readonly y: Buffer;
}

/** Adds the launch that multiplies them. */
export function launchStrided(to: Lowering, { M, K, N, count, strides, alpha, w, x, y }: StridedLaunch): void {
  const code = productShader({
    ...{ rows: 16, columns: "all", values: "float32", strided: true, windows: false },
    ...{ epilogue: { ...NO_EPILOGUE, alpha }, scaled: false, wholeK: K % 4 === 0, wholeM: M % 4 === 0 },
  });
  const grid = [Math.ceil(M / 16), Math.ceil(N / TOKENS), count] as const;
  to.launch(code, { w, x, y }, { M, N, K, steps: Math.ceil(K / 4), ...PLAIN, ...strides }, grid);
}
