import type { Graph, Value } from "../../graph/index.js";
import { locate, NonzeroError, type Tensor } from "../../tensor/index.js";

/** What is fed for one run of the model: tensors by the names of its inputs. */
export type Feeds = Readonly<Record<string, Tensor>>;

/** Any source of feeds: an array, a generator, a stream. It is read once and kept. */
export type Samples = Iterable<Feeds> | AsyncIterable<Feeds>;

/**
 * The samples in the order of the graph's inputs; an input with a default may be left out, and then is that.
 * @throws NonzeroError "invalid-argument" where there are none, "not-found" for an input that is missing or that the model does not have, "shape" for
 * a tensor that the input does not take. Each names the sample.
 */
export async function collectSamples(graph: Graph, samples: Samples): Promise<Tensor[][]> {
  const collected: Tensor[][] = [];
  for await (const feeds of samples)
    collected.push(locate({ file: `calibration sample ${collected.length}` }, () => inOrder(graph, feeds)));
  if (collected.length === 0)
    throw new NonzeroError("invalid-argument", "there are no calibration samples", { field: "samples" });
  return collected;
}

function inOrder(graph: Graph, feeds: Feeds): Tensor[] {
  for (const name of Object.keys(feeds)) {
    if (!graph.inputs.some((input) => input.name === name))
      throw new NonzeroError("not-found", "the model has no such input", { field: name });
  }
  return graph.inputs.map((input) => {
    const tensor = feeds[input.name] ?? graph.constants.get(input);
    if (tensor === undefined || !("data" in tensor))
      throw new NonzeroError("not-found", "the input is missing", { field: input.name });
    checkType(input, tensor);
    return tensor;
  });
}

function checkType({ name, type }: Value, { dtype, shape }: Tensor): void {
  if (type === null) return;
  const fits =
    type.shape === null ||
    (type.shape.length === shape.length &&
      type.shape.every((dim, axis) => typeof dim === "string" || dim === shape[axis]));
  if (dtype !== type.dtype || !fits) {
    const takes = `${type.dtype}[${type.shape?.join(", ") ?? "…"}]`;
    throw new NonzeroError("shape", `the input is ${dtype}[${shape}], the model takes ${takes}`, { field: name });
  }
}
