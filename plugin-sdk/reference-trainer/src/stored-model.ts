import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { loadNet } from './net-files.ts';
import type { Network } from './network.ts';
import { readModel } from './onnx-model.ts';
import { InputError, type Run } from './trainer_sdk/index.ts';

/** The net that evaluate and predict work on: from an exported model when the job names one, else from a checkpoint. */
export function loadModel(run: Run): { net: Network; labels: readonly string[] } {
  const { modelArtifact, folder } = run.job;
  if (modelArtifact === null) return loadNet(run.source());
  const named = join(folder, modelArtifact.path);
  const file = statSync(named, { throwIfNoEntry: false })?.isDirectory() === true ? join(named, 'model.onnx') : named;
  if (existsSync(file)) return readModel(readFileSync(file));
  throw new InputError(`There is no model at ${modelArtifact.path}.`, {
    hint: `Put model.onnx into ${modelArtifact.path}.`,
  });
}
