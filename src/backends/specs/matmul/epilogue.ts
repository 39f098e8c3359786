/** What is done to a sum before it is stored: y = act(alpha · scale · sum + beta · bias [+ residual]) [+ residual]. */
export interface Epilogue {
  /** Gemm's factors; 1 when absent. */
  readonly alpha?: number;
  readonly beta?: number;
  /** One number a row of W. */
  readonly bias: boolean;
  /** A name that `activate` knows, "" for none. */
  readonly activation: string;
  readonly params: readonly number[];
  /** Where an addend of y's shape and order comes in: "" for nowhere. */
  readonly residual: "" | "before" | "after";
}

export const NO_EPILOGUE: Epilogue = { bias: false, activation: "", params: [], residual: "" };

/** "feature-major": y [M, N]; "token-major": y [N, M]. */
export type Order = "feature-major" | "token-major";

export const epilogueKey = ({ alpha = 1, beta = 1, bias, activation, params, residual }: Epilogue): string =>
  `${alpha},${bias ? `${beta} bias,` : ""}${activation}(${params})${residual}`;
