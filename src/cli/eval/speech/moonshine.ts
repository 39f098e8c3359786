import type { InferenceSession, Tensor, TensorConstructor } from "onnxruntime-common";
import { NonzeroError } from "../../../tensor/index.js";

/** An onnxruntime of any kind, Nonzero included: sessions and tensors with the same API. */
export interface Runtime {
  readonly InferenceSession: {
    create(path: string, options?: InferenceSession.SessionOptions): Promise<InferenceSession>;
  };
  readonly Tensor: TensorConstructor;
}

const START = 1;
const END = 2;
/** Samples a second that it hears. */
export const SAMPLE_RATE = 16000;

/** Moonshine's encoder and decoder in one runtime. */
export interface Moonshine {
  readonly runtime: Pick<Runtime, "Tensor">;
  readonly encoder: InferenceSession;
  readonly decoder: InferenceSession;
  /** The text of tokens. */
  readonly textOf: (tokens: readonly number[]) => string;
}

/** What a recording came to: the text, and how long the encoder and each step of the decoder took, in milliseconds. */
export interface Transcript {
  readonly text: string;
  readonly encoderMs: number;
  readonly stepMs: number;
}

export async function loadMoonshine(
  runtime: Runtime,
  files: { encoder: string; decoder: string },
  options: InferenceSession.SessionOptions = {},
): Promise<Moonshine> {
  const textOf = await detokenizer();
  const encoder = await runtime.InferenceSession.create(files.encoder, options);
  return { runtime, encoder, decoder: await runtime.InferenceSession.create(files.decoder, options), textOf };
}

/** Llama's tokenizer, which Moonshine uses. @throws NonzeroError "not-found" where the package is not installed. */
async function detokenizer(): Promise<Moonshine["textOf"]> {
  try {
    const { default: tokenizer } = await import("llama-tokenizer-js");
    return (tokens) => tokenizer.decode([...tokens]).trim();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new NonzeroError(
      "not-found",
      "Moonshine's tokens are read with the npm package 'llama-tokenizer-js': install it",
      {},
      { cause },
    );
  }
}

/** The encoder's output [1, frames, 288] for 16 kHz mono samples in [-1, 1]. */
export async function encode({ runtime, encoder }: Moonshine, samples: Float32Array): Promise<Tensor> {
  const { last_hidden_state } = await encoder.run({
    input_values: new runtime.Tensor("float32", samples, [1, samples.length]),
  });
  return last_hidden_state as Tensor;
}

/** Greedy decoding, at most six and a half tokens per second of sound. */
export async function transcribe(model: Moonshine, samples: Float32Array): Promise<Transcript> {
  const start = performance.now();
  const hidden = await encode(model, samples);
  const encoded = performance.now();
  const tokens = await decode(model, hidden, samples.length);
  const text = model.textOf(tokens.filter((token, i) => i === 0 || token !== END));
  return { text, encoderMs: encoded - start, stepMs: (performance.now() - encoded) / (tokens.length - 1) };
}

/** The tokens heard in what the encoder gave for `samples` samples, from the start token to the end token or the limit. */
export async function decode(model: Moonshine, hidden: Tensor, samples: number): Promise<number[]> {
  const { runtime, decoder } = model;
  const limit = Math.max(4, Math.trunc((samples / SAMPLE_RATE) * 6.5) + 1);
  let past = emptyCache(model);
  const tokens = [START];
  for (let step = 0; step < limit && tokens[tokens.length - 1] !== END; step++) {
    const outputs = await decoder.run({
      input_ids: new runtime.Tensor("int64", BigInt64Array.of(BigInt(tokens[tokens.length - 1]!)), [1, 1]),
      encoder_hidden_states: hidden,
      use_cache_branch: new runtime.Tensor("bool", Uint8Array.of(step > 0 ? 1 : 0), [1]),
      ...past,
    });
    tokens.push(largest((outputs.logits as Tensor).data as Float32Array));
    // The encoder's keys and values are made in the first step and stay.
    past = Object.fromEntries(
      Object.entries(past).map(([name, tensor]) => {
        const fresh = step === 0 || name.includes(".decoder.");
        return [name, fresh ? (outputs[name.replace("past_key_values", "present")] as Tensor) : tensor];
      }),
    );
  }
  return tokens;
}

/** The cache of the first step: its inputs' shapes say how many heads of how many features there are. */
export function emptyCache({ runtime: { Tensor }, decoder }: Omit<Moonshine, "encoder">): Record<string, Tensor> {
  return Object.fromEntries(
    decoder.inputMetadata
      .filter(({ name }) => name.startsWith("past_key_values"))
      .map((input) => {
        const shape = input.isTensor ? input.shape : [];
        const dims = [0, Number(shape[1]), 1, Number(shape[3])];
        return [input.name, new Tensor("float32", new Float32Array(0), dims)];
      }),
  );
}

/** Index of the largest of the last row of logits (batch and tokens are 1). */
function largest(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
}
