import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { installNode } from "../runtime/node.js";
import { addBench } from "./commands/bench.js";
import { addCompare } from "./commands/compare.js";
import { addEval } from "./commands/eval.js";
import { addInspect } from "./commands/inspect.js";
import { addMachine } from "./commands/machine.js";
import { addQuantize } from "./commands/quantize.js";
import { addRun } from "./commands/run.js";
import { addSamples } from "./commands/samples.js";
import { addSensitivity } from "./commands/sensitivity.js";
import { addSparsify } from "./commands/sparsify.js";
import { addTune } from "./commands/tune.js";
import { EXIT, report } from "./exit.js";

const NOTE = `
A first try:
  nonzero inspect model.onnx
  nonzero sparsify model.onnx -o sparse.onnx --pattern 2:4
  nonzero compare model.onnx sparse.onnx
  nonzero bench model.onnx sparse.onnx

Results go to stdout, progress and errors to stderr. With --json, stdout is one JSON document, errors included: {"error": {"code", "reason"}}.
Exit codes: 0 done; 1 a check does not hold; 2 wrong arguments; 3 an input is missing, malformed or does not fit; 4 not supported;
5 reading or writing failed; 6 there is no GPU, or it failed; 70 a bug; 130 stopped.

--device webgpu needs a GPU and, in Node.js, the npm package webgpu beside nonzero (npm install webgpu).`;

/** Runs the command line (without node's and the script's paths) and gives its exit code. */
export async function main(args: readonly string[]): Promise<number> {
  installNode();
  process.exitCode = EXIT.ok;
  try {
    await program().parseAsync(args, { from: "user" });
    return Number(process.exitCode); // commands that check something set it
  } catch (error) {
    const json = args.includes("--json");
    if (!(error instanceof CommanderError)) return report(error, json);
    if (error.exitCode === 0) return EXIT.ok; // --help and --version
    const reason = error.message.replace(/^error: /, "").replace(/^\(outputHelp\)$/, "no command is given");
    if (json) console.log(JSON.stringify({ error: { code: "invalid-argument", reason } }));
    return EXIT.usage;
  }
}

function program(): Command {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  const root = new Command("nonzero")
    .description("Prune neural networks, store them sparse, and run only their nonzeros.")
    .version(version)
    .exitOverride() // commands made after it inherit these settings
    .showHelpAfterError("(--help says what there is)")
    .showSuggestionAfterError()
    .addHelpText("after", NOTE);
  addInspect(root);
  addSensitivity(root);
  addSparsify(root);
  addQuantize(root);
  addRun(root);
  addTune(root);
  addCompare(root);
  addBench(root);
  addMachine(root);
  addEval(root);
  addSamples(root);
  return root;
}
