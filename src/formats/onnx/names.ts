import type { NodeProto } from "./onnx_pb.js";

/** The default domain has two names. */
export const domainOf = (domain: string): string => (domain === "ai.onnx" ? "" : domain);

/** What tells model-local functions apart. */
export const functionKey = (domain: string, name: string, overload: string): string =>
  JSON.stringify([domainOf(domain), name, overload]);

/** How a node of a file is named in messages. */
export const labelOfProto = (proto: NodeProto): string =>
  proto.name || `${proto.opType} → ${proto.output.find((name) => name !== "") ?? "?"}`;
