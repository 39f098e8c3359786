import type { Attribute, Graph } from "../../graph/index.js";
import { locate, NonzeroError } from "../../tensor/index.js";
import { clampedInt, textOf } from "./decode.js";
import { type AttributeProto, type GraphProto, AttributeProto_AttributeType as Type } from "./onnx_pb.js";
import type { Frame, ReadContext } from "./read-context.js";

/**
 * The attributes of a node by name. A reference to an attribute of the enclosing function stands for what the call gave it,
 * and is absent where the call gave nothing.
 */
export function readAttributes(
  protos: readonly AttributeProto[],
  context: ReadContext,
  frame: Frame,
  readGraph: (proto: GraphProto) => Graph,
): Map<string, Attribute> {
  const attributes = new Map<string, Attribute>();
  for (const proto of protos) {
    const field = proto.name;
    locate({ field }, () => {
      if (attributes.has(field)) throw new NonzeroError("invalid-model", "the attribute is given more than once");
      const attribute = proto.refAttrName === "" ? readAttribute(proto, context, readGraph) : reference(proto, frame);
      if (attribute !== undefined) attributes.set(field, attribute);
    });
  }
  return attributes;
}

function reference(proto: AttributeProto, frame: Frame): Attribute | undefined {
  if (frame.references === null) {
    throw new NonzeroError("invalid-model", `it refers to attribute '${proto.refAttrName}' of a function, outside any`);
  }
  return frame.references.get(proto.refAttrName);
}

function readAttribute(
  proto: AttributeProto,
  context: ReadContext,
  readGraph: (proto: GraphProto) => Graph,
): Attribute {
  if (proto.type !== Type.GRAPH) return context.attribute(proto, () => readPlain(proto, context));
  if (proto.g === undefined) throw new NonzeroError("invalid-model", "the graph is missing");
  return { kind: "graph", value: readGraph(proto.g) };
}

function readPlain(proto: AttributeProto, context: ReadContext): Attribute {
  switch (proto.type) {
    case Type.FLOAT:
      return { kind: "float", value: proto.f };
    case Type.INT:
      return { kind: "int", value: clampedInt(proto.i) };
    case Type.STRING:
      return { kind: "string", value: textOf(proto.s, proto.name) };
    case Type.FLOATS:
      return { kind: "floats", value: proto.floats };
    case Type.INTS:
      return { kind: "ints", value: proto.ints.map(clampedInt) };
    case Type.STRINGS:
      return { kind: "strings", value: proto.strings.map((bytes) => textOf(bytes, proto.name)) };
    case Type.TENSOR:
      if (proto.t === undefined) throw new NonzeroError("invalid-model", "the tensor is missing");
      return { kind: "tensor", value: context.tensor(proto.t) };
    case Type.UNDEFINED:
      throw new NonzeroError("invalid-model", "the attribute has no type");
    default:
      throw new NonzeroError("unsupported", `attributes of type ${Type[proto.type] ?? proto.type} are not supported`);
  }
}
