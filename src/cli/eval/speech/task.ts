import { join } from "node:path";
import type { Feeds } from "../../../prune/index.js";
import { InferenceSession, Tensor as OrtTensor } from "../../../runtime/index.js";
import { NonzeroError, Tensor } from "../../../tensor/index.js";
import { uniform } from "../../inputs.js";
import type { Task, TaskOptions } from "../task.js";
import { decode, emptyCache, encode, loadMoonshine, type Moonshine, type Runtime, transcribe } from "./moonshine.js";
import { chunksOf, loadPrompts, type Prompt } from "./prompts.js";
import { edits, wordsOf } from "./words.js";

const ENCODER = "encoder_model.onnx";
const DECODER = "decoder_model_merged.onnx";
/** Prompts are joined to chunks of such lengths, in seconds, for calibration. */
const SHORTEST = 2;
const LONGEST = 10;

const open = (folder: string, { threads }: TaskOptions): Promise<Moonshine> =>
  loadMoonshine(
    { InferenceSession, Tensor: OrtTensor } as unknown as Runtime,
    { encoder: join(folder, ENCODER), decoder: join(folder, DECODER) },
    threads === undefined ? {} : { intraOpNumThreads: threads },
  );

/**
 * Moonshine (speech to text) on Debian's Asterisk prompts: 266 prompts, 2,595 words of one voice, greedy decoding. Word error rate: edits to make what
 * was heard of what was said, over the words that were said; numbers spelled out, punctuation dropped.
 */
export const speech: Task = {
  name: "speech",
  summary: "Moonshine on 266 telephone prompts (Debian's asterisk-core-sounds-en): word error rate",
  model: `a folder with ${ENCODER} and ${DECODER}`,
  metric: { name: "WER", unit: "%", better: "lower" },
  async score(folder, options) {
    const { test } = await loadPrompts(options.say, options.signal);
    const prompts = test.slice(0, options.limit);
    const model = await open(folder, options);
    let errors = 0;
    let words = 0;
    try {
      for (const [i, prompt] of prompts.entries()) {
        if (options.signal.aborted) throw new NonzeroError("aborted", "the evaluation was stopped");
        const { text } = await transcribe(model, prompt.samples);
        errors += edits(prompt.words, wordsOf(text));
        words += prompt.words.length;
        options.say(`${i + 1} of ${prompts.length} prompts, WER ${((100 * errors) / words).toFixed(2)} % so far`);
      }
    } finally {
      await release(model);
    }
    const value = (100 * errors) / words;
    return { value, items: prompts.length, detail: `${errors} errors in ${words} words` };
  },
  async samples(folder, options) {
    const { calibration } = await loadPrompts(options.say, options.signal);
    const chunks = drawChunks(calibration, options.count, options.seed);
    async function* encoder(): AsyncGenerator<Feeds> {
      for (const chunk of chunks) yield { input_values: new Tensor("float32", [1, chunk.length], chunk) };
    }
    async function* decoder(): AsyncGenerator<Feeds> {
      const model = await open(folder, options);
      try {
        const past = Object.entries(emptyCache(model)).map(([name, tensor]) => [name, fromOrt(tensor)]);
        for (const chunk of chunks) {
          const hidden = await encode(model, chunk);
          // What it says itself, all tokens in one run: the branch without a cache.
          const tokens = (await decode(model, hidden, chunk.length)).slice(0, -1);
          yield {
            input_ids: new Tensor("int64", [1, tokens.length], BigInt64Array.from(tokens, BigInt)),
            encoder_hidden_states: fromOrt(hidden),
            use_cache_branch: Tensor.from("bool", [1], [0]),
            ...Object.fromEntries(past),
          };
        }
      } finally {
        await release(model);
      }
    }
    return [
      { model: ENCODER, samples: encoder() },
      { model: DECODER, samples: decoder() },
    ];
  },
};

async function release({ encoder, decoder }: Moonshine): Promise<void> {
  await encoder.release();
  await decoder.release();
}

const fromOrt = ({ type, dims, data }: Awaited<ReturnType<typeof encode>>): Tensor =>
  new Tensor(type as "float32", dims, data as Float32Array);

/** Prompts in random order as chunks of 2 to 10 s; once they are used up, in another order and other company. */
function drawChunks(prompts: readonly Prompt[], count: number, seed: number): Float32Array[] {
  const next = uniform(seed);
  const chunks: Float32Array[] = [];
  while (chunks.length < count)
    chunks.push(...chunksOf(shuffled(prompts, next), () => SHORTEST + (LONGEST - SHORTEST) * next()));
  return chunks.slice(0, count);
}

/** In another order, by Fisher and Yates. */
function shuffled<T>(items: readonly T[], next: () => number): T[] {
  const order = [...items];
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
