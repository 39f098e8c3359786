import { type Command, Option } from "commander";
import type { Machine, Peaks } from "../../backends/roofline/index.js";
import { KERNEL_TERMS, PRODUCT_TERMS } from "../../backends/roofline/index.js";
import { type MachineOptions, machineFor, machineText, withMachine } from "../machine.js";
import { bytes, percent, table } from "../output.js";

const NOTE = `
What it measures is kept in the user's cache folder, for this processor, engine and number of threads; predictions and rooflines use it.
With --json it can be taken elsewhere: nonzero inspect model.onnx --predict --machine phone.json.`;

/** Adds `machine`. */
export function addMachine(program: Command): void {
  withMachine(
    program
      .command("machine")
      .description("what this machine can do at most, and how fast each family of kernels is on it (about 10 seconds)")
      .addOption(new Option("--device <device>", "what to measure").choices(["wasm", "webgpu"]).default("wasm"))
      .option("--json", "print JSON"),
  )
    .addHelpText("after", NOTE)
    .action(async ({ json, ...options }: MachineOptions & { json?: boolean }) => {
      const machine = await machineFor(options);
      console.log(json ? JSON.stringify(machine) : machineTables(machine));
    });
}

const giga = (rate: number | null): string => (rate === null ? "-" : (rate / 1e9).toFixed(1));

/** Peaks and families as people read them. */
export function machineTables(machine: Machine): string {
  const { one, all, threads, families } = machine;
  const gpu = machine.device === "webgpu";
  const sides: [string, Peaks][] = [[gpu ? "webgpu" : "1 thread", one]];
  if (threads > 1) sides.push([`${threads} threads`, all]);
  const rates = table(
    [{ title: "10⁹ multiply-adds a second" }, ...sides.map(([title]) => ({ title, align: "right" as const }))],
    [
      ["float32", ...sides.map(([, { float32 }]) => giga(float32))],
      ...(gpu ? [] : [["int16 (i32x4.dot_i16x8_s)", ...sides.map(([, { int16 }]) => giga(int16))]]),
      ...(gpu ? [] : [["int8 (relaxed dot)", ...sides.map(([, { int8 }]) => giga(int8))]]),
    ],
  );
  const right = (title: string) => ({ title, align: "right" as const });
  const bandwidths = table(
    [{ title: "GB a second" }, right("holds"), ...sides.flatMap(([title]) => [right(`read, ${title}`), right("copy")])],
    one.levels.map(({ name, capacity }, i) => [
      name,
      capacity === null ? "" : bytes(capacity),
      ...sides.flatMap(([, { levels }]) => [giga(levels[i]!.read), giga(levels[i]!.copy)]),
    ]),
  );
  const rows = Object.entries(families).map(([family, { seconds, points, error }]) => {
    const names = family.startsWith("kernel/") ? KERNEL_TERMS : PRODUCT_TERMS;
    const terms = seconds.flatMap((s, i) => (s > 1e-15 ? [`${names[i]}: ${(s * 1e12).toPrecision(3)}`] : []));
    return [family, `${points}`, percent(error), terms.join(", ")];
  });
  if (rows.length === 0) return `${machineText(machine)}\n\n${rates}\n\n${bandwidths}`;
  const fitted = table(
    [{ title: "family" }, right("points"), right("median error"), { title: "picoseconds for each" }],
    rows,
  );
  return `${machineText(machine)}\n\n${rates}\n\n${bandwidths}\n\n${fitted}`;
}
