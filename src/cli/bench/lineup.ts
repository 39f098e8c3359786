import { detectDevice } from "../../backends/wasm/index.js";
import type { Results } from "../../compiler/index.js";
import type { Runner } from "../../runtime/index.js";
import { NonzeroError } from "../../tensor/index.js";
import { loadRival, RIVALS, type Rival } from "./onnxruntime.js";
import { type Contestant, type PairedOptions, pairedTimes, type Timed } from "./paired.js";

/** Thrown where results that must agree do not: there is nothing worth timing then. */
export class Disagreement extends Error {
  override readonly name = "Disagreement";
}

/** How long and how often, and where to tell of it. */
export interface Timing extends Pick<PairedOptions, "rounds" | "seconds" | "signal"> {
  /** One line of progress. */
  readonly say: (line: string) => void;
}

/** Threads for the other runtimes: as many as ours have, or where all of ours are on a GPU as they would have on WebAssembly. */
export function threadsOf(runners: readonly Runner<Results>[], threads: number | undefined): number {
  const onHost = runners.filter(({ device }) => device !== "webgpu").map((runner) => runner.threads);
  return onHost.length > 0 ? Math.max(...onHost) : detectDevice(threads).threads;
}

/** Those of onnxruntime-web and -node that are installed; `say` hears of those that are not. */
export async function installedRivals(threads: number, say: Timing["say"]): Promise<Rival[]> {
  const rivals: Rival[] = [];
  for (const name of RIVALS) {
    try {
      const rival = await loadRival(name, threads);
      if (rival === null) say(`${name} is not installed: not compared with`);
      else rivals.push(rival);
    } catch (error) {
      say(`${name} does not load here, so it is not compared with: ${(error as Error).message}`);
    }
  }
  return rivals;
}

/** Times contestants in turn; those found by their names. @throws NonzeroError "aborted" when stopped before the first round ended. */
export async function timeInTurn(
  contestants: readonly Contestant[],
  { say, ...timing }: Timing,
): Promise<(name: string) => Timed | undefined> {
  let said = "";
  const timed = await pairedTimes(contestants, {
    ...timing,
    onProgress(share, doing) {
      const line = `${Math.floor(5 * share) * 20} % ${doing.startsWith("round") ? "timing in turn" : doing}`;
      if (line !== said) say(line);
      said = line;
    },
  });
  if (timed.every(({ samples }) => samples.length === 0))
    throw new NonzeroError("aborted", "stopped before every contestant had its turn");
  return (name) => timed.find((one) => one.name === name);
}
