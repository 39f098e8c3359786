import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { cacheFolder, download, type RemoteFile } from "../data/cache.js";
import { runTool, unpackDebian } from "../data/tools.js";
import { SAMPLE_RATE } from "./moonshine.js";
import { wordsOf } from "./words.js";

/** A recording and what is said in it. */
export interface Prompt {
  readonly name: string;
  readonly text: string;
  readonly words: readonly string[];
  /** 16 kHz mono, in [-1, 1]. */
  readonly samples: Float32Array;
}

export interface Prompts {
  /** Prompts of three words and more, 0.6 to 30 s: what is scored. */
  readonly test: readonly Prompt[];
  /** Prompts of one and two words, 0.7 to 6 s, none of them in `test`: what may be calibrated on. */
  readonly calibration: readonly Prompt[];
}

const POOL = "http://deb.debian.org/debian/pool/main/a/asterisk-core-sounds";
/** Debian's asterisk-core-sounds-en 1.6.1: 568 telephone prompts by one voice (Allison Smith), CC-BY-SA 3.0, and their texts. */
const SOUNDS: RemoteFile = {
  url: `${POOL}/asterisk-core-sounds-en-g722_1.6.1-1_all.deb`,
  sha256: "38c5261820b406dcb0ecb37675720da2b0864850690690352ca52707eb623806",
};
const TEXTS: RemoteFile = {
  url: `${POOL}/asterisk-core-sounds-en_1.6.1-1_all.deb`,
  sha256: "973e797d28e37fa6ca3c0a9d6fa717e77cf1268ae916bf09fd3503113cdffa50",
};
const SOUND_FOLDER = "usr/share/asterisk/sounds/en_US_f_Allison";
const TEXT_FILE = "usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz";

/** Recordings that one process decodes. */
const TOGETHER = 64;

/**
 * The prompts, from the cache or from Debian's server; the recordings (G.722) are decoded with ffmpeg, once.
 * @throws NonzeroError "io", "not-found" where dpkg-deb or ffmpeg is not installed, "aborted".
 */
export async function loadPrompts(say: (line: string) => void, signal: AbortSignal): Promise<Prompts> {
  const folder = join(cacheFolder(), "asterisk-core-sounds-en-1.6.1");
  if (!existsSync(folder)) await makeFolder(folder, say, signal);
  const test: Prompt[] = [];
  const calibration: Prompt[] = [];
  for (const line of readFileSync(join(folder, "texts.txt"), "utf8").split("\n")) {
    const [, name, text] = /^([\w/-]+):\s*(.+)$/.exec(line) ?? [];
    if (name === undefined || text === undefined || /[[(]/.test(text)) continue; // […] stands for sounds
    const file = join(folder, `${flat(name)}.f32`);
    if (!existsSync(file)) continue;
    const bytes = readFileSync(file);
    const samples = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2).slice();
    const seconds = samples.length / SAMPLE_RATE;
    const words = wordsOf(text);
    const prompt = { name, text, words, samples };
    if (words.length >= 3 && seconds >= 0.6 && seconds <= 30) test.push(prompt);
    else if (words.length > 0 && words.length < 3 && seconds >= 0.7 && seconds <= 6) calibration.push(prompt);
  }
  return { test, calibration };
}

const flat = (name: string): string => name.replaceAll("/", "_");

/** Makes the folder whole or not at all. */
async function makeFolder(folder: string, say: (line: string) => void, signal: AbortSignal): Promise<void> {
  say("downloading 11 MB of prompts from Debian");
  const [sounds, texts] = [await download(SOUNDS, signal), await download(TEXTS, signal)];
  mkdirSync(cacheFolder(), { recursive: true });
  const work = mkdtempSync(`${folder}.part-`);
  try {
    await unpackDebian(sounds, join(work, "deb"), signal);
    await unpackDebian(texts, join(work, "deb"), signal);
    const made = join(work, "made");
    mkdirSync(made);
    const from = join(work, "deb", SOUND_FOLDER);
    const files = (readdirSync(from, { recursive: true }) as string[]).filter((file) => file.endsWith(".g722"));
    for (let first = 0; first < files.length; first += TOGETHER) {
      say(`decoding recordings, ${first} of ${files.length}`);
      const some = files.slice(first, first + TOGETHER);
      const inputs = some.flatMap((file) => ["-f", "g722", "-i", join(from, file)]);
      const outputs = some.flatMap((file, i) => {
        const target = join(made, `${flat(file.slice(0, -".g722".length))}.f32`);
        return ["-map", `${i}:a`, "-ar", `${SAMPLE_RATE}`, "-ac", "1", "-f", "f32le", target];
      });
      await runTool("ffmpeg", ["-v", "error", "-nostdin", ...inputs, ...outputs], signal);
    }
    writeFileSync(join(made, "texts.txt"), gunzipSync(readFileSync(join(work, "deb", TEXT_FILE))));
    renameSync(made, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Prompts joined in their order to chunks, each at most as many seconds long as it is told (or one prompt). */
export function chunksOf(prompts: readonly Prompt[], seconds: () => number): Float32Array[] {
  const chunks: Float32Array[][] = [[]];
  let length = 0;
  let most = seconds() * SAMPLE_RATE;
  for (const { samples } of prompts) {
    if (length + samples.length > most && length > 0) {
      chunks.push([]);
      length = 0;
      most = seconds() * SAMPLE_RATE;
    }
    chunks.at(-1)!.push(samples);
    length += samples.length;
  }
  return chunks.map((parts) => {
    const chunk = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      chunk.set(part, at);
      at += part.length;
    }
    return chunk;
  });
}
