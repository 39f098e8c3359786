import type { Command } from "commander";
import { readModelFile } from "../../formats/onnx/node.js";
import { Runner } from "../../runtime/index.js";
import { locate, locateAsync, NonzeroError, type Tensor } from "../../tensor/index.js";
import { nonNegative, wholeNumber } from "../arguments.js";
import { type DeviceChoice, deviceFor, deviceOption } from "../device.js";
import { EXIT } from "../exit.js";
import { feedsFor } from "../inputs.js";
import { table } from "../output.js";
import { withInputs } from "./run.js";

interface Options {
  readonly input: string[];
  readonly dim: string[];
  readonly device: DeviceChoice;
  readonly threads?: number;
  readonly tolerance?: number;
  readonly json?: boolean;
}

export function addCompare(program: Command): void {
  withInputs(
    program
      .command("compare")
      .description("run two models on the same inputs and say how far their outputs are apart")
      .argument("<a>", "an ONNX file")
      .argument("<b>", "another, with the same inputs"),
  )
    .addOption(deviceOption())
    .option("--threads <n>", "threads of wasm (default: all processors, at most 8)", wholeNumber(1))
    .option(
      "--tolerance <relative>",
      "exit with 1 if an output differs by more than this share of its largest value",
      nonNegative,
    )
    .option("--json", "print JSON")
    .action((a: string, b: string, options: Options) => compare(a, b, options));
}

/** How far two tensors are apart. */
export interface Difference {
  /** Largest |a - b|; infinite for texts that differ. */
  readonly absolute: number;
  /** That, over the largest |a|. */
  readonly relative: number;
  /** Cosine of the angle between them as vectors; 1 for two zeros. */
  readonly cosine: number;
}

async function compare(fileA: string, fileB: string, options: Options): Promise<void> {
  const threads = options.threads ? { threads: options.threads } : {};
  const device = await deviceFor(options.device);
  const open = (file: string) =>
    locateAsync({ file }, () => Runner.create(readModelFile(file), { device, ...threads }));
  const a = await open(fileA);
  const b = await open(fileB);
  const feeds = locate({ file: fileA }, () => feedsFor(a.inputs, options));
  const left = await locateAsync({ file: fileA }, () => a.run(feeds));
  const right = await locateAsync({ file: fileB }, () => b.run(feeds));
  const results = Object.entries(left).map(([name, tensor]) => {
    const other = right[name];
    if (other === undefined) throw new NonzeroError("not-found", `there is no output '${name}'`, { file: fileB });
    return { name, dtype: tensor.dtype, shape: tensor.shape, ...difference(name, tensor, other) };
  });
  a.release();
  b.release();
  if (options.json) console.log(JSON.stringify({ a: fileA, b: fileB, device, outputs: results }, null, 2));
  else {
    const columns = [
      { title: "output" },
      { title: "shape" },
      { title: "largest difference", align: "right" as const },
      { title: "relative", align: "right" as const },
      { title: "cosine", align: "right" as const },
    ];
    console.log(
      table(
        columns,
        results.map((r) => [
          r.name,
          r.shape.join("×"),
          r.absolute.toExponential(2),
          r.relative.toExponential(2),
          r.cosine.toFixed(6),
        ]),
      ),
    );
  }
  const { tolerance } = options;
  if (tolerance !== undefined && results.some(({ relative }) => !(relative <= tolerance)))
    process.exitCode = EXIT.failed;
}

/** @throws NonzeroError "shape" when dtype or shape differ. */
export function difference(name: string, a: Tensor, b: Tensor): Difference {
  if (a.dtype !== b.dtype || a.shape.join() !== b.shape.join()) {
    throw new NonzeroError("shape", `${a.dtype}[${a.shape}] in one, ${b.dtype}[${b.shape}] in the other`, {
      field: name,
    });
  }
  if (a.dtype === "string") {
    const other = b.strings();
    const same = a.strings().every((text, i) => text === other[i]);
    const apart = same ? 0 : Number.POSITIVE_INFINITY;
    return { absolute: apart, relative: apart, cosine: same ? 1 : 0 };
  }
  const [x, y] = [a.numbers(), b.numbers()];
  let [absolute, largest, dot, xx, yy] = [0, 0, 0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    const [p, q] = [x[i]!, y[i]!];
    const apart = p === q || (Number.isNaN(p) && Number.isNaN(q)) ? 0 : Math.abs(p - q);
    absolute = apart > absolute || Number.isNaN(apart) ? apart : absolute;
    largest = Math.max(largest, Math.abs(p));
    dot += p * q;
    xx += p * p;
    yy += q * q;
  }
  return {
    absolute,
    relative: absolute === 0 ? 0 : absolute / largest,
    cosine: xx === 0 && yy === 0 ? 1 : dot / Math.sqrt(xx * yy),
  };
}
