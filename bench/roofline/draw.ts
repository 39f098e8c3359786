import { fileURLToPath } from "node:url";
import { PRODUCT_TERMS } from "../../src/backends/roofline/index.js";
import { median, quantile } from "../../src/cli/bench/statistics.js";
import { count, milliseconds, percent } from "../../src/cli/output.js";
import { replaceFile } from "../../src/cli/write-file.js";
import { drawInto, markdown, threadsText, times } from "../markdown.js";
import { type Dot, rooflineChart } from "./chart.js";
import { type Checked, type Roofline, readRoofline } from "./results.js";

const PAGE = new URL("../../docs/performance.md", import.meta.url);

const errorOf = ({ predicted_ms, measured_ms }: Checked): number => predicted_ms / measured_ms - 1;
const giga = (rate: number | null): string => (rate === null ? "none" : (rate / 1e9).toFixed(1));
const signed = (share: number): string =>
  `${share > 0 ? "+" : share < 0 ? "−" : ""}${Math.abs(100 * share).toFixed(1)} %`;

function machineSection({ machine }: Roofline): string {
  const { all, threads } = machine;
  const rates = [`float32 ${giga(all.float32)}`, `int16 ${giga(all.int16)}`, `int8 (relaxed) ${giga(all.int8)}`];
  const levels = markdown(
    ["level", ">holds", ">read, GB/s", ">copy, GB/s"],
    all.levels.map(({ name, capacity, read, copy }) => [
      name,
      capacity === null ? "" : `${Math.round(capacity / 1024)} KiB`,
      ...[giga(read), giga(copy)],
    ]),
  );
  return `On ${threadsText(threads)}, 10⁹ multiply-adds a second: ${rates.join(", ")}.\n\n${levels}`;
}

/** What the calibration found for products: picoseconds of each term. */
function familyTable({ machine }: Roofline): string {
  const products = Object.entries(machine.families).filter(([name]) => !name.startsWith("kernel/"));
  const terms = PRODUCT_TERMS.map((term) => `>${term}`);
  return markdown(
    ["family", ...terms, ">points", ">median error"],
    products.map(([name, { seconds, points, error }]) => [
      name,
      ...seconds.map((s) => (s < 1e-15 ? "–" : count(Number((1e12 * s).toPrecision(3))))),
      ...[`${points}`, percent(error)],
    ]),
  );
}

/** How far predictions are off, by what the calibration tells apart. */
function errorTable({ kernels }: Roofline): string {
  const groups = new Map<string, Checked[]>();
  const add = (name: string, row: Checked): void => void groups.set(name, [...(groups.get(name) ?? []), row]);
  for (const row of kernels) {
    const extent = row.tokens === 1 ? "1 token" : row.tokens <= 12 ? "8 tokens" : "64 and 197 tokens";
    const kind = row.pattern === "dense" ? "dense" : row.pattern.startsWith("block") ? "blocks" : "rows of their own";
    add(row.family === "conv" ? `3×3 convolutions, ${kind}` : `products, ${kind}, ${extent}`, row);
  }
  for (const row of kernels) add("all", row);
  return markdown(
    ["", ">kernels", ">first quartile", ">median", ">third quartile", ">largest"],
    [...groups].map(([name, rows]) => {
      const errors = rows.map(errorOf);
      const largest = errors.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
      const quartiles = [0.25, 0.5, 0.75].map((q) => signed(quantile(errors, q)));
      return [name, `${rows.length}`, ...quartiles, signed(largest)];
    }),
  );
}

/** Share of the limit by pattern and tokens: the median over shapes. */
function shareTable({ kernels }: Roofline): string {
  const linear = kernels.filter(({ family }) => family === "linear");
  const tokens = [...new Set(linear.map((row) => row.tokens))];
  const patterns = [...new Set(linear.map(({ pattern }) => pattern))];
  return markdown(
    ["", ...tokens.map((count) => `>${count} token${count === 1 ? "" : "s"}`)],
    patterns.map((pattern) => [
      pattern,
      ...tokens.map((count) => {
        const rows = linear.filter((row) => row.pattern === pattern && row.tokens === count);
        const bounds = new Set(rows.map(({ bound }) => bound));
        const share = percent(median(rows.map((row) => row.limit_ms / row.measured_ms)), 0);
        return `${share}, ${[...bounds].join(" or ")}`;
      }),
    ]),
  );
}

function encoderSection({ encoder }: Roofline): string {
  const patterns = markdown(
    ["every layer", ">measured", ">predicted", ">speed-up measured", ">predicted", ">off by"],
    encoder.patterns.map((row) => [
      ...[row.pattern, milliseconds(row.median_ms), milliseconds(row.predicted_ms)],
      ...[times(row.speedup), times(row.predicted_speedup), signed(row.predicted_ms / row.median_ms - 1)],
    ]),
  );
  const steps = markdown(
    ["kernel", ">steps", ">measured", ">predicted", ">limit", ">of limit"],
    encoder.steps.map((row) => [
      ...[row.kernel, `${row.count}`, milliseconds(row.median_ms), milliseconds(row.predicted_ms)],
      ...[milliseconds(row.limit_ms), percent(row.limit_ms / row.median_ms, 0)],
    ]),
  );
  return `${patterns}\n\nThe dense encoder by kernel:\n\n${steps}`;
}

function dotsOf({ kernels }: Roofline): Dot[] {
  return kernels.map((row) => ({
    series: row.pattern === "dense" ? 0 : row.pattern.startsWith("block") ? 2 : 1,
    intensity: row.multiply_adds / row.bytes,
    rate: row.multiply_adds / (row.measured_ms / 1000),
    title: `${row.shape}·${row.tokens} ${row.pattern}: ${percent(row.limit_ms / row.measured_ms, 0)} of the limit`,
  }));
}

/** Draws bench/results/roofline.json: docs/roofline.svg and the tables of docs/performance.md, between its markers. */
export function drawRoofline(): void {
  const roofline = readRoofline();
  const { date, host, machine, versions, encoder } = roofline;
  const chart = rooflineChart(
    `Kernels under the roofline, ${threadsText(machine.threads)}`,
    machine,
    ["dense", "rows of their own", "blocks"],
    dotsOf(roofline),
  );
  replaceFile(fileURLToPath(new URL("roofline.svg", PAGE)), chart);
  drawInto(
    PAGE,
    `Measured on ${date}: ${host.cpu}, ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")}; ${threadsText(machine.threads)}; load average ${host.load_average}.

### The machine

${machineSection(roofline)}

### Share of the limit

![Kernels under the roofline](roofline.svg)

The median over shapes, and what binds according to the model (data in the smallest cache that holds it):

${shareTable(roofline)}

### What the calibration found

Picoseconds of each term of products. At the compute peak four multiply-adds, a weight times a vector, take
${(4e12 / machine.all.float32).toFixed(0)} ps.

${familyTable(roofline)}

### How far predictions are off

(predicted − measured) / measured, of ${roofline.kernels.length} kernels whose shapes the calibration did not see:

${errorTable(roofline)}

### A model, predicted and then pruned for real

Moonshine tiny's encoder on ${encoder.seconds.toFixed(1)} s of speech. Predicted from the dense file; then every linear layer and convolution pruned, and the
models timed in turn.

${encoderSection(roofline)}`,
  );
}
