import { basename } from "node:path";
import { type Command, Option } from "commander";
import { readModelFile } from "../../formats/onnx/node.js";
import { locateAsync, NonzeroError } from "../../tensor/index.js";
import { positiveSeconds, wholeNumber } from "../arguments.js";
import { modelRoofline, productsRoofline, type RooflineRow, type Rounds, rooflineTable } from "../bench/roofline.js";
import { EXIT } from "../exit.js";
import { feedsFor, type InputOptions } from "../inputs.js";
import { type MachineOptions, machineFor, machineText, withMachine } from "../machine.js";
import { interruptible } from "../progress.js";
import { withInputs } from "./run.js";

interface Options extends MachineOptions, InputOptions {
  readonly m?: number;
  readonly k?: number;
  readonly n?: number;
  readonly pattern?: string[];
  readonly seconds: number;
  readonly json?: boolean;
}

const NOTE = `
The limit is the longer of multiply-adds at the machine's peak and bytes at the bandwidth of the cache (or memory) that holds them: no code can
be faster. Steps of a model are timed one by one; a product's data stays in the smallest cache that holds it.
Above 100 %, data was in a smaller cache than its size tells.`;

/** Adds `bench roofline` to `bench`. */
export function addRoofline(bench: Command): void {
  withMachine(
    withInputs(
      bench
        .command("roofline")
        .description("each kernel of a model, or of a product, beside the least time that the machine's peaks allow")
        .argument("[model]", "an ONNX file; or give --m, --k and --n"),
    ),
  )
    .addOption(new Option("--m <rows>", "rows of W").argParser(wholeNumber(1)))
    .addOption(new Option("--k <columns>", "columns of W").argParser(wholeNumber(1)))
    .addOption(new Option("--n <tokens>", "columns that W is multiplied with").argParser(wholeNumber(1)))
    .option("--pattern <patterns...>", "patterns of W besides dense: 2:4, 50%, block:16x16@90%")
    .option("--seconds <s>", "seconds to time", positiveSeconds, 1)
    .option("--json", "print JSON")
    .addHelpText("after", NOTE)
    .action((model: string | undefined, options: Options) => roofline(model, options));
}

async function roofline(file: string | undefined, options: Options): Promise<void> {
  const { m, k, n, pattern = [], seconds, json } = options;
  const shape = m !== undefined && k !== undefined && n !== undefined ? { m, k, n } : null;
  if ((file === undefined) === (shape === null))
    throw new NonzeroError("invalid-argument", "give a model, or --m, --k and --n", { field: "roofline" });
  const model = file === undefined ? null : await locateAsync({ file }, async () => readModelFile(file));
  const machine = await machineFor(options);
  const rounds: Rounds = { seconds, signal: interruptible(), say: (line) => console.error(line) };
  const rows: RooflineRow[] =
    model === null
      ? await productsRoofline({ ...shape!, patterns: pattern }, machine, rounds)
      : await modelRoofline(model, feedsFor(fedInputs(model), options), machine, rounds);
  if (json) console.log(JSON.stringify({ machine, rows }));
  else {
    const what = file === undefined ? `${m}×${k} by ${k}×${n}` : basename(file);
    console.log(`${rooflineTable(rows, model !== null)}\n\n${what} on ${machineText(machine)}`);
  }
  if (rounds.signal.aborted) process.exitCode = EXIT.aborted;
}

const fedInputs = ({ graph }: ReturnType<typeof readModelFile>) =>
  graph.inputs.filter((input) => !graph.constants.has(input));
