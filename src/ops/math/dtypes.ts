import { type DataType, isFloat, isInteger } from "../../tensor/index.js";

/** Floats and integers. */
export const isNumeric = (dtype: DataType): boolean => isFloat(dtype) || isInteger(dtype);

export const isBool = (dtype: DataType): boolean => dtype === "bool";
