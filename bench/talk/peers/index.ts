import { jax } from "./jax.js";
import { onnxruntime } from "./onnxruntime.js";
import { PEERS, type Peer, type PeerName } from "./peer.js";
import { tfjs } from "./tfjs.js";

export { PEERS, type Peer, type PeerName, type Product } from "./peer.js";

const LOAD: Readonly<Record<PeerName, (threads: number) => Promise<Peer | null>>> = {
  "onnxruntime-web": (threads) => onnxruntime("onnxruntime-web", threads),
  "onnxruntime-node": (threads) => onnxruntime("onnxruntime-node", threads),
  "tfjs-wasm": tfjs,
  "jax-js": jax,
};

/** The peers that are installed and load; `missing` hears of the others. */
export async function loadPeers(threads: number, missing: (why: string) => void): Promise<Peer[]> {
  const peers: Peer[] = [];
  for (const name of PEERS) {
    try {
      const peer = await LOAD[name](threads);
      if (peer === null) missing(`${name} is not installed`);
      else peers.push(peer);
    } catch (error) {
      missing(`${name} does not load here: ${(error as Error).message}`);
    }
  }
  return peers;
}
