/** Node SDK for trainer authors: node's own library only, no import from outside this folder, so a package can carry a copy. */
export { defineTrainer, type Program } from './define-trainer.ts';
export type { FinalMetrics, TrainerDefinition } from './carry-out.ts';
export type { DatasetProblem } from './dataset-check.ts';
export type { Dataset, DatasetClass, Sample } from './dataset-folder.ts';
export {
  ConfigError,
  DatasetError,
  Diverged,
  InputError,
  StopRequest,
  TrainerError,
  Unsupported,
  UsageError,
  VerificationError,
} from './errors.ts';
export { decodePng, encodePng, toGrey, type Picture } from './png.ts';
export { Random } from './random.ts';
export { Run } from './run.ts';
export type { CheckpointState } from './run-parts.ts';
export { readSafetensors, writeSafetensors, type Tensor } from './safetensors.ts';
export { rank, scoreClassification, type ClassScore, type Scores } from './scores.ts';
export { sha256Hex } from './stored-files.ts';
export type { StoredState } from './stored-state.ts';
export { metadataDigest, writeExportBundle, type ExportParts, type OutputParity } from './export-bundle.ts';
export { wrapperDigests, wrapperFiles, wrapperLanguages, type WrapperLanguage } from './wrapper-files.ts';
export { readNpy, writeNpy, type NpyArray } from './npy.ts';
export { readOnnx, type OnnxFile, type OnnxNode, type OnnxTensor, type OnnxTensorInfo } from './onnx-file.ts';
export {
  compareTensors,
  indexOfMax,
  leastAgreement,
  toleranceOf,
  type ParityPrecision,
  type TensorParity,
} from './parity.ts';
export { Message } from './protobuf.ts';
