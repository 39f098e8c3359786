/** Axes from outermost to innermost, and for each tensor the step along each of them, in elements. */
export interface Walk {
  readonly dims: readonly number[];
  readonly strides: readonly (readonly number[])[];
}

/** The same walk with as few axes as possible: axes of 1 dropped, axes that all tensors step over evenly joined. At least one axis. */
export function collapse({ dims, strides }: Walk): Walk {
  const kept: number[] = [];
  const steps: number[][] = strides.map(() => []);
  dims.forEach((dim, axis) => {
    if (dim === 1) return;
    const joins = kept.length > 0 && strides.every((stride, t) => steps[t]!.at(-1) === stride[axis]! * dim);
    if (joins) kept[kept.length - 1]! *= dim;
    else kept.push(dim);
    strides.forEach((stride, t) => {
      if (joins) steps[t]!.pop();
      steps[t]!.push(stride[axis]!);
    });
  });
  if (kept.length === 0) {
    kept.push(dims.includes(0) ? 0 : 1);
    for (const step of steps) step.push(1);
  }
  return { dims: kept, strides: steps };
}
