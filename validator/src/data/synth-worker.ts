import { parentPort, workerData } from 'node:worker_threads';
import { synthDataset, type SynthOptions } from '@trainyard/plugin-sdk/dataset';

/** Draws beside the event loop: a scene costs about 50 ms, and heartbeats must go on meanwhile. `workerData` is made by test-data.ts only. */
const options = workerData as SynthOptions;
parentPort?.postMessage(await synthDataset(options));
