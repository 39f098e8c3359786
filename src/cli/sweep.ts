import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { type Allocation, allocate, type Budget, type Trial } from "../prune/index.js";
import { locate, NonzeroError } from "../tensor/index.js";
import { replaceFile } from "./write-file.js";

/** The first line of a sweep's file: what it is of. */
interface Heading {
  readonly model: string;
  readonly samples: number;
}

/** A sweep on disk: JSON lines, a heading and then a trial each, written as they are made, so that a sweep that was stopped goes on. */
export class SweepFile {
  readonly trials: Trial[];
  readonly #file: string;

  /** @throws NonzeroError "invalid-argument" naming the line, "invalid-argument" for a sweep of another model or other samples, "io". */
  constructor(file: string, heading: Heading) {
    this.#file = file;
    this.trials = [];
    if (!existsSync(file)) {
      this.#write(() => writeFileSync(file, `${JSON.stringify(heading)}\n`, { flag: "wx" }));
      return;
    }
    const { trials, ...found } = readSweep(file);
    if (found.model !== heading.model || found.samples !== heading.samples) {
      const other = `a sweep of ${found.model} on ${found.samples} samples`;
      throw new NonzeroError("invalid-argument", `it is ${other}: write to another file`, { file, field: "--output" });
    }
    this.trials.push(...trials);
    // A line that was cut short when the process was killed goes.
    const lines = [heading, ...trials].map((line) => `${JSON.stringify(line)}\n`).join("");
    replaceFile(file, lines);
  }

  add(trial: Trial): void {
    this.trials.push(trial);
    this.#write(() => appendFileSync(this.#file, `${JSON.stringify(trial)}\n`));
  }

  #write(write: () => void): void {
    try {
      write();
    } catch (cause) {
      throw new NonzeroError("io", (cause as Error).message, { file: this.#file }, { cause });
    }
  }
}

/** @throws NonzeroError "not-found", "invalid-argument". */
export function readSweep(file: string): Heading & { readonly trials: readonly Trial[] } {
  const text = textOf(file);
  const lines = text.split("\n");
  const whole = text.endsWith("\n")
    ? lines.slice(0, -1)
    : lines.slice(0, -1).concat(isJson(lines.at(-1)!) ? lines.at(-1)! : []);
  const [heading, ...trials] = whole.map((line, i) =>
    locate({ file: `${file}:${i + 1}` }, () => {
      if (!isJson(line)) throw new NonzeroError("invalid-argument", "the line is not JSON");
      return JSON.parse(line) as unknown;
    }),
  );
  if (!has(heading, { model: "string", samples: "number" }))
    throw new NonzeroError("invalid-argument", "it does not begin as a sweep of `nonzero sensitivity` does", { file });
  trials.forEach((trial, i) => {
    if (!has(trial, TRIAL) || !areNames((trial as Trial).nodes))
      throw new NonzeroError("invalid-argument", "the line is no trial", { file: `${file}:${i + 2}` });
  });
  return { ...(heading as unknown as Heading), trials: trials as Trial[] };
}

const TRIAL = {
  weight: "string",
  pattern: "string",
  method: "string",
  rows: "number",
  cols: "number",
  sparsity: "number",
  error: "number",
  bytes: "number",
  denseBytes: "number",
};

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    const reason = missing ? "there is no such file" : (cause as Error).message;
    throw new NonzeroError(missing ? "not-found" : "io", reason, { file }, { cause });
  }
}

const areNames = (value: unknown): boolean => Array.isArray(value) && value.every((name) => typeof name === "string");

const has = (value: unknown, fields: Readonly<Record<string, string>>): boolean =>
  typeof value === "object" &&
  value !== null &&
  Object.entries(fields).every(([name, type]) => typeof (value as Record<string, unknown>)[name] === type);

function isJson(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}

/**
 * What `--allocate FILE --budget KIND=TARGET` chooses among the trials of one method.
 * @throws NonzeroError "invalid-argument" for a budget of no such kind or out of reach, "not-found" without trials of the method.
 */
export function allocationFrom(file: string, method: string, budget: string): Allocation {
  const trials = readSweep(file).trials.filter((trial) => trial.method === method);
  if (trials.length === 0) throw new NonzeroError("not-found", `it has no trials of the method '${method}'`, { file });
  return locate({ field: "--budget" }, () => allocate(trials, budgetOf(budget)));
}

const UNITS: Readonly<Record<string, number>> = { "": 1, "%": 0.01, kB: 1e3, MB: 1e6, GB: 1e9 };

function budgetOf(text: string): Budget {
  const [, of, number, unit = ""] = /^(sparsity|bytes)=(\d+(?:\.\d+)?)(%|kB|MB|GB)?$/.exec(text) ?? [];
  const fits = of === "bytes" ? unit !== "%" : unit === "" || unit === "%";
  if (of === undefined || !fits)
    throw new NonzeroError("invalid-argument", `'${text}' is neither sparsity=60% nor bytes=12MB`);
  return { of: of as Budget["of"], target: Number(number) * UNITS[unit]! };
}
