/** What the page asks of its worker. */
export type Request =
  | { readonly kind: "inspect"; readonly bytes: ArrayBuffer }
  | {
      readonly kind: "run";
      readonly bytes: ArrayBuffer;
      readonly pattern: string;
      /** How kept values are stored; absent: as the model has them. */
      readonly values?: "float16" | "int8";
      /** Sizes of named dimensions. */
      readonly dims: Readonly<Record<string, number>>;
      /** 16 kHz samples for a model with one input; else random values. */
      readonly audio?: Float32Array;
      readonly seconds: number;
    };

export interface InputFacts {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly (number | string)[];
}

export interface LayerFacts {
  readonly name: string;
  readonly rows: number;
  readonly cols: number;
  readonly layout: string;
  readonly sparsity: number;
  readonly denseBytes: number;
  readonly bytes: number;
}

/** A corner of a pruned weight: magnitudes relative to the largest, 0 where it was pruned; row by row. */
export interface Corner {
  readonly name: string;
  readonly rows: number;
  readonly cols: number;
  readonly magnitudes: Float32Array;
}

export interface Results {
  readonly threads: number;
  readonly denseBytes: number;
  readonly sparseBytes: number;
  /** Share of zeros in the weights that were pruned. */
  readonly sparsity: number;
  /** Milliseconds of each run, in turn: `denseMs[i]` and `sparseMs[i]` come from the same round. */
  readonly denseMs: readonly number[];
  readonly sparseMs: readonly number[];
  readonly corner: Corner | null;
  readonly file: Uint8Array<ArrayBuffer>;
}

/** What the worker answers. */
export type Reply =
  | {
      readonly kind: "inspected";
      readonly inputs: readonly InputFacts[];
      readonly weights: number;
      readonly zeros: number;
    }
  | { readonly kind: "progress"; readonly stage: string; readonly share: number }
  | { readonly kind: "layer"; readonly layer: LayerFacts }
  | { readonly kind: "done"; readonly results: Results }
  | { readonly kind: "failed"; readonly reason: string };
