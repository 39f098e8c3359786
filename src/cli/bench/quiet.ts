import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";

const BREATH_MS = 1;

/**
 * What every run is preceded by: signals arrive, garbage is collected in the background, and the processor stays awake, since whoever comes
 * first after a sleep is slower.
 */
export async function breathe(): Promise<void> {
  await turn();
  const start = performance.now();
  while (performance.now() - start < BREATH_MS);
}

const SLOT_MS = 5;
const LONGEST_MS = 200;
/** Share of one processor. */
const QUIET = 0.25;

/**
 * Waits until this process leaves the processors alone: threads of other runtimes look for work in a busy loop long after their run has
 * ended (onnxruntime-web 20 ms, onnxruntime-node 40 ms, seen), and would take a processor from whoever comes next.
 */
export async function untilQuiet(): Promise<void> {
  for (let waited = 0; waited < LONGEST_MS; waited += SLOT_MS) {
    const before = process.cpuUsage();
    const start = performance.now();
    await sleep(SLOT_MS);
    const { user, system } = process.cpuUsage(before);
    if ((user + system) / 1000 / (performance.now() - start) < QUIET) return;
  }
}
