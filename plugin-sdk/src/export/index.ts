/** The export convention `export/v1`: its metadata, a reader of ONNX files, .npy files and the tolerances of a comparison. */
export { metadataDigest } from '../trainer/export-bundle.ts';
export { wrapperDigests, wrapperFiles } from '../trainer/wrapper-files.ts';
export {
  ExportMetadata,
  ExportTensor,
  ExportVerification,
  parseExportMetadata,
  type ParsedMetadata,
} from './metadata.ts';
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
