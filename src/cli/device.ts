import { Option } from "commander";
import { holdGpu } from "../backends/webgpu/index.js";
import { ASYNC_DEVICES, type AsyncDeviceName, DEVICES, type DeviceName } from "../runtime/index.js";
import { NonzeroError } from "../tensor/index.js";

/** What `--device` takes. */
export type DeviceChoice = DeviceName | AsyncDeviceName;
/** What models run on. */
export type RunDevice = Exclude<DeviceChoice, "auto">;

export const DEVICE_CHOICES: readonly DeviceChoice[] = [...DEVICES, ...ASYNC_DEVICES];

const WHAT = "where to run; auto is webgpu where there is a GPU, else wasm";

export const deviceOption = (): Option =>
  new Option("--device <device>", WHAT).choices([...DEVICE_CHOICES]).default("wasm" satisfies DeviceChoice);

export const devicesOption = (): Option =>
  new Option("--device <devices...>", WHAT).choices([...DEVICE_CHOICES]).default(["wasm"] satisfies DeviceChoice[]);

/**
 * The devices that are there for what was chosen, each once; where "auto" finds no GPU it is "wasm", and stderr says so.
 * @throws NonzeroError "device", with what to do about it, where "webgpu" was chosen and there is none.
 */
export async function devicesFor(choices: readonly DeviceChoice[]): Promise<RunDevice[]> {
  const missing = choices.some((choice) => choice === "webgpu" || choice === "auto") ? await whyNoGpu() : null;
  const found = choices.map((choice): RunDevice => {
    if (choice === "wasm" || choice === "reference" || missing === null) return choice === "auto" ? "webgpu" : choice;
    if (choice === "webgpu") throw missing;
    console.error(`nonzero: ${missing.reason}. Running on wasm`);
    return "wasm";
  });
  return [...new Set(found)];
}

export const deviceFor = async (choice: DeviceChoice): Promise<RunDevice> => (await devicesFor([choice]))[0]!;

/** Null where there is a GPU. */
async function whyNoGpu(): Promise<NonzeroError | null> {
  try {
    const { release } = await holdGpu();
    release();
    return null;
  } catch (cause) {
    if (!(cause instanceof NonzeroError) || cause.code !== "device") throw cause;
    const packaged = await import("webgpu" as string).then(
      () => true,
      () => false,
    );
    const remedy = packaged
      ? "is there a GPU, with a driver for Vulkan, Metal or Direct3D 12?"
      : "install the npm package 'webgpu' beside nonzero: npm install webgpu";
    return new NonzeroError("device", `${cause.reason} (${remedy})`, { field: "--device" }, { cause });
  }
}

/** `webgpu`, or another device with its threads: `wasm ×4`. */
export const deviceText = (device: RunDevice, threads: number): string =>
  device === "webgpu" ? device : `${device} ×${threads}`;
