import llamaTokenizer from "llama-tokenizer-js";
import type { InferenceSession, Tensor, TensorConstructor } from "onnxruntime-common";

/** An onnxruntime of any kind, Nonzero included: sessions and tensors with the same API. */
export interface Runtime {
  readonly InferenceSession: {
    create(path: string, options?: InferenceSession.SessionOptions): Promise<InferenceSession>;
  };
  readonly Tensor: TensorConstructor;
}

/** Moonshine tiny: 6 decoder layers of 8 heads, 36 features each. */
const LAYERS = 6;
const HEADS = 8;
const SIZE = 36;
const START = 1;
const END = 2;
const SAMPLE_RATE = 16000;

/** Moonshine's encoder and decoder in one runtime. */
export interface Moonshine {
  readonly runtime: Runtime;
  readonly encoder: InferenceSession;
  readonly decoder: InferenceSession;
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
  const encoder = await runtime.InferenceSession.create(files.encoder, options);
  return { runtime, encoder, decoder: await runtime.InferenceSession.create(files.decoder, options) };
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
  const { runtime, decoder } = model;
  const start = performance.now();
  const hidden = await encode(model, samples);
  const encoded = performance.now();
  const limit = Math.max(4, Math.trunc((samples.length / SAMPLE_RATE) * 6.5) + 1);
  let past = emptyCache(runtime);
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
  const text = llamaTokenizer.decode(tokens.filter((token, i) => i === 0 || token !== END)).trim();
  return { text, encoderMs: encoded - start, stepMs: (performance.now() - encoded) / (tokens.length - 1) };
}

function emptyCache({ Tensor }: Runtime): Record<string, Tensor> {
  const names = Array.from({ length: LAYERS }, (_, layer) =>
    ["decoder", "encoder"].flatMap((side) =>
      ["key", "value"].map((what) => `past_key_values.${layer}.${side}.${what}`),
    ),
  ).flat();
  return Object.fromEntries(
    names.map((name) => [name, new Tensor("float32", new Float32Array(0), [0, HEADS, 1, SIZE])]),
  );
}

/** Index of the largest of the last row of logits (batch and tokens are 1). */
function largest(logits: Float32Array): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
}
