import type { Choices, TrialSession } from "../tuner/index.js";
import type { Gpu } from "./gpu.js";
import { Session } from "./session.js";

/** What measured speed depends on. */
export function identityOf({ description, info }: Gpu): string {
  const { f16, subgroups } = info;
  const adapter = description || globalThis.navigator?.userAgent || "unknown adapter";
  const features = [f16 ? "f16" : "", subgroups === null ? "" : `subgroups ${subgroups.min} to ${subgroups.max}`];
  return ["webgpu", adapter, ...features.filter((feature) => feature)].join(", ");
}

/** A session to try kernels in: outputs, however many, stay on the GPU, so that no trial waits for a download. */
export function trialSession(gpu: Gpu, choices: Choices, layout: Session["layout"]): TrialSession {
  const session = new Session(gpu, undefined, undefined, new Array<boolean>(64).fill(true), {}, choices, layout);
  return { maker: session, release: () => session.release() };
}
