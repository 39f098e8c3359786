import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { thisMachine as host, ownVersions } from "../../src/cli/bench/machine.js";
import { replaceFile } from "../../src/cli/write-file.js";
import { thisMachine } from "../../src/runtime/machine.js";
import { installNode } from "../../src/runtime/node.js";
import { drawRoofline } from "./draw.js";
import { checkEncoder } from "./encoder.js";
import { checkKernels } from "./kernels.js";
import { RESULTS, type Roofline } from "./results.js";

/**
 * Measures what docs/performance.md shows of the cost model, and draws it: the machine, kernels that its calibration did not see, an encoder
 * pruned for real. `tsx bench/roofline/run.ts [--draw | --quick] [--threads N]`: --draw measures nothing.
 */
const flags = process.argv.slice(2);
const threads = flags.includes("--threads") ? Number(flags[flags.indexOf("--threads") + 1]) : 1;
const say = (line: string): void => console.error(line);
const short = (_: string, value: unknown): unknown =>
  typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;

if (!flags.includes("--draw")) {
  installNode();
  let said = -1;
  const machine = await thisMachine({
    ...{ threads, fresh: true },
    onProgress(share, doing) {
      if (Math.floor(10 * share) > said) say(`measuring this machine: ${10 * ++said} %, ${doing}`);
    },
  });
  const quick = flags.includes("--quick");
  const kernels = await checkKernels(machine, say, quick);
  const encoder = await checkEncoder(machine, say, quick ? 0.2 : 1.5);
  const roofline: Roofline = {
    ...{ date: new Date().toISOString().slice(0, 10), host: host(), versions: ownVersions() },
    ...{ machine, kernels, encoder },
  };
  if (quick) console.log(JSON.stringify(roofline, short));
  else {
    mkdirSync(new URL(".", RESULTS), { recursive: true });
    const text = JSON.stringify(roofline, short, 1).replace(/\[[\s\d.,e-]*\]/g, (list) => list.replace(/\s+/g, ""));
    replaceFile(fileURLToPath(RESULTS), `${text}\n`);
  }
}
if (!flags.includes("--quick")) drawRoofline();
