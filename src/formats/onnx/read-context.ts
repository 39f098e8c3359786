import type { Attribute, Constant, Node, Value } from "../../graph/index.js";
import { NonzeroError, type Tensor } from "../../tensor/index.js";
import type { AttributeProto, FunctionProto, TensorProto } from "./onnx_pb.js";
import { type TensorSource, tensorOf } from "./read-tensor.js";
import { type Coordinates, Growth } from "./sparse-coo.js";

/** How deep subgraphs and function calls may nest together. */
const MAX_DEPTH = 64;
/** Nodes, edges and attributes that inlining functions may make before the model counts as a bomb. */
const MAX_INLINED = 2 ** 20;

/** What all parts of one file share while it is read. */
export class ReadContext {
  readonly opsets: ReadonlyMap<string, number>;
  readonly irVersion: number;
  /** Model-local functions by `functionKey`. */
  readonly functions: ReadonlyMap<string, FunctionProto>;
  readonly growth = new Growth();
  readonly #source: TensorSource;
  readonly #dimNames: ReadonlySet<string>;
  readonly #tensors = new Map<TensorProto, Tensor>();
  readonly #attributes = new Map<AttributeProto, Attribute>();
  #freshDims = 0;
  #inlined = 0;

  constructor(options: {
    opsets: ReadonlyMap<string, number>;
    irVersion: number;
    functions: ReadonlyMap<string, FunctionProto>;
    source: TensorSource;
    /** Names of dimensions that the file uses. */
    dimNames: ReadonlySet<string>;
  }) {
    this.opsets = options.opsets;
    this.irVersion = options.irVersion;
    this.functions = options.functions;
    this.#source = options.source;
    this.#dimNames = options.dimNames;
  }

  /** Reads a tensor once, however many inlined calls use it. */
  tensor(proto: TensorProto): Tensor {
    let tensor = this.#tensors.get(proto);
    if (tensor === undefined) {
      tensor = tensorOf(proto, this.#source);
      this.#tensors.set(proto, tensor);
    }
    return tensor;
  }

  /** Reads an attribute once, however many inlined calls use it; not for those whose value depends on the call. */
  attribute(proto: AttributeProto, read: () => Attribute): Attribute {
    let attribute = this.#attributes.get(proto);
    if (attribute === undefined) {
      attribute = read();
      this.#attributes.set(proto, attribute);
    }
    return attribute;
  }

  /** A dimension name that the file does not use. */
  readonly freshDim = (): string => {
    for (;;) {
      const name = `dim_${this.#freshDims++}`;
      if (!this.#dimNames.has(name)) return name;
    }
  };

  /** Counts work that a function call repeats. @throws NonzeroError "unsupported" when calls of calls multiply without end in sight. */
  spend(count: number): void {
    this.#inlined += count;
    if (this.#inlined > MAX_INLINED) {
      throw new NonzeroError(
        "unsupported",
        `inlining the model's functions makes more than ${MAX_INLINED} nodes and edges`,
      );
    }
  }
}

/** Where in the nest of subgraphs and function calls the reader is. */
export interface Frame {
  /** Opset imports that hold here: the model's, or the function's. */
  readonly opsets: ReadonlyMap<string, number>;
  /** What attribute references stand for; null outside functions. */
  readonly references: ReadonlyMap<string, Attribute> | null;
  /** Goes before the names of nodes and values, so that each inlined call has its own. */
  readonly prefix: string;
  /** Keys of the functions that are being inlined. */
  readonly calls: readonly string[];
  readonly depth: number;
}

/** What the reader adds to: the graph that is being made. */
export interface Sink {
  readonly nodes: Node[];
  readonly constants: Map<Value, Constant>;
  /** Sparse constants; their layout is chosen when their readers are known. */
  readonly sparse: Map<Value, Coordinates>;
}

/** A frame one level deeper. @throws NonzeroError "unsupported". */
export function deeper(frame: Frame, change: Partial<Frame> = {}): Frame {
  if (frame.depth >= MAX_DEPTH) {
    throw new NonzeroError("unsupported", `subgraphs and function calls nest more than ${MAX_DEPTH} deep`);
  }
  return { ...frame, ...change, depth: frame.depth + 1 };
}
