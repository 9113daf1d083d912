/** One reader for everybody. It lives with the trainer SDK because a package carries a copy of that folder. */
export { readOnnx, type OnnxFile, type OnnxNode, type OnnxTensor, type OnnxTensorInfo } from '../trainer/onnx-file.ts';
