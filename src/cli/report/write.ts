import type { Model } from "../../graph/index.js";
import type { Feeds, Sparsified } from "../../prune/index.js";
import { replaceFile } from "../write-file.js";
import { layerLines, overallSparsity, type ReportData } from "./data.js";
import { reportPage } from "./page.js";
import { speedOf } from "./speed.js";

export interface Reported extends Pick<ReportData, "input" | "output" | "bytesBefore" | "bytesAfter"> {
  /** Options by name; those that are undefined or empty were not given. */
  readonly asked: Readonly<Record<string, unknown>>;
  readonly model: Model;
  readonly result: Sparsified;
  /** What both models are timed on; without it they are not. */
  readonly feeds: Feeds | undefined;
}

/** Writes the page, whole or not at all. @throws NonzeroError "io", and as running the models does. */
export async function writeReport(file: string, about: Reported, signal: AbortSignal): Promise<void> {
  const { asked, model, result, feeds, ...sizes } = about;
  const layers = layerLines(result);
  const given = Object.entries(asked).filter(([, value]) => value !== undefined && String(value) !== "");
  const data: ReportData = {
    ...sizes,
    asked: given.map(([name, value]) => [name, Array.isArray(value) ? value.join(" ") : String(value)]),
    sparsity: overallSparsity(layers),
    speed: feeds === undefined ? null : await speedOf(model, result.model, feeds, signal),
    layers,
  };
  replaceFile(file, reportPage(data));
}
