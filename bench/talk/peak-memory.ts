import { readFileSync } from "node:fs";
import { loadRival, type RivalName } from "../../src/cli/bench/onnxruntime.js";
import { normal, uniform } from "../../src/cli/inputs.js";
import { readModelFile } from "../../src/formats/onnx/node.js";
import { Runner } from "../../src/runtime/index.js";
import { installNode } from "../../src/runtime/node.js";
import { Tensor } from "../../src/tensor/index.js";

/*
 * Opens a model, runs it once and prints the largest resident set that this process has had, in MB (Linux):
 * `tsx bench/talk/peak-memory.ts nonzero|onnxruntime-web|onnxruntime-node FILE THREADS INPUT=1x3x224x224…`
 */
const [by, file, threadsText, ...inputs] = process.argv.slice(2) as [string, string, string, ...string[]];
const threads = Number(threadsText);
const next = uniform(1);
const feeds = Object.fromEntries(
  inputs.map((text) => {
    const [name, dims] = text.split("=") as [string, string];
    const shape = dims.split("x").map(Number);
    const size = shape.reduce((a, b) => a * b, 1);
    return [
      name,
      new Tensor(
        "float32",
        shape,
        Float32Array.from({ length: size }, () => normal(next)),
      ),
    ];
  }),
);

if (by === "nonzero") {
  installNode();
  const runner = new Runner(readModelFile(file), { threads });
  const binding = runner.ioBinding(feeds);
  binding.run();
} else {
  const session = await (await loadRival(by as RivalName, threads))!.openFile(file, feeds);
  await session.run();
}
const high = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
process.stdout.write(`${Math.round(Number(high) / 1024)}`);
process.exit(high === undefined ? 1 : 0);
