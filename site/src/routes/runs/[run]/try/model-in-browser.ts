import { loadPredictor, type BundleMetadata, type Predictor } from '@trainyard/plugin-sdk/runtime';

/** An export running in this browser: the file never leaves it, and neither do the pictures. */
export interface ModelInBrowser {
  readonly predictor: Predictor;
  readonly labels: readonly string[];
  readonly bytes: number;
}

async function readBytes(url: string, progress: (share: number) => void): Promise<Uint8Array> {
  const reply = await fetch(url);
  if (!reply.ok || reply.body === null) throw new Error(`the model could not be read (${reply.status})`);
  const total = Number(reply.headers.get('content-length') ?? 0);
  const parts: Uint8Array[] = [];
  let received = 0;
  for await (const part of reply.body as unknown as AsyncIterable<Uint8Array>) {
    parts.push(part);
    received += part.length;
    if (total > 0) progress(received / total);
  }
  const whole = new Uint8Array(received);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Throws sentences. The runtime (WebAssembly) and the model are loaded once; a browser keeps both. */
export async function openModel(artifact: string, progress: (share: number) => void): Promise<ModelInBrowser> {
  const file = (path: string): string => `/api/v1/artifacts/${artifact}/download?file=${encodeURIComponent(path)}`;
  const [ort, wasm, metadata, model] = await Promise.all([
    import('onnxruntime-web/wasm'),
    import('onnxruntime-web/ort-wasm-simd-threaded.wasm?url'),
    fetch(file('metadata.json')).then((reply): Promise<BundleMetadata> => reply.json()),
    readBytes(file('model.onnx'), progress),
  ]);
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = { wasm: wasm.default };
  const predictor = await loadPredictor(ort, metadata, model);
  return { predictor, labels: metadata.labels, bytes: model.length };
}

/** Pixels of a picture file, upright as its camera meant it. */
export async function readPicture(file: Blob): Promise<{ width: number; height: number; data: Uint8ClampedArray }> {
  const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('this browser has no canvas');
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  return { width: bitmap.width, height: bitmap.height, data };
}
