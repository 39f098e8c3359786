/** The dtypes that elementwise loops know. */
export const LANE_TYPES = ["float32", "int32", "int64", "bool"] as const;
export type LaneType = (typeof LANE_TYPES)[number];

export const isLaneType = (dtype: string): dtype is LaneType => (LANE_TYPES as readonly string[]).includes(dtype);
export const bytesOf = (dtype: LaneType): number => (dtype === "int64" ? 8 : dtype === "bool" ? 1 : 4);
