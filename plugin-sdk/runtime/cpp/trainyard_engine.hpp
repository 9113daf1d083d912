// The two engines that run model.onnx: ONNX Runtime where its headers are found (TRAINYARD_WITH_ORT), else OpenCV's dnn module.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "trainyard_predict.hpp"

#if defined(TRAINYARD_WITH_ORT)
#include <onnxruntime_cxx_api.h>
#elif defined(TRAINYARD_WITH_OPENCV)
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/dnn.hpp>
#else
#error "Define TRAINYARD_WITH_ORT or TRAINYARD_WITH_OPENCV (CMakeLists.txt does)."
#endif

namespace trainyard {

#if defined(TRAINYARD_WITH_ORT)

inline const char* engine_name() { return "ONNX Runtime"; }

class ModelEngine : public Engine {
 public:
  ModelEngine(const std::string& file, const json&) : env_(ORT_LOGGING_LEVEL_ERROR, "trainyard") {
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(1);
    session_ = Ort::Session(env_, std::basic_string<ORTCHAR_T>(file.begin(), file.end()).c_str(), options);
    Ort::AllocatorWithDefaultOptions allocator;
    input_ = session_.GetInputNameAllocated(0, allocator).get();
    for (std::size_t i = 0; i < session_.GetOutputCount(); ++i) outputs_.push_back(session_.GetOutputNameAllocated(i, allocator).get());
  }

  std::vector<Tensor> run(const Tensor& input) override {
    std::vector<float> values(input.data.begin(), input.data.end());
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    const auto tensor = Ort::Value::CreateTensor<float>(memory, values.data(), values.size(), input.dims.data(), input.dims.size());
    const char* name = input_.c_str();
    std::vector<const char*> names;
    for (const std::string& output : outputs_) names.push_back(output.c_str());
    std::vector<Tensor> results;
    for (const auto& value : session_.Run(Ort::RunOptions{nullptr}, &name, &tensor, 1, names.data(), names.size())) {
      const auto info = value.GetTensorTypeAndShapeInfo();
      Tensor result{info.GetShape(), {}};
      const std::size_t count = info.GetElementCount();
      if (info.GetElementType() == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64) {
        const auto* data = value.GetTensorData<std::int64_t>();
        result.data.assign(data, data + count);
      } else if (info.GetElementType() == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT) {
        const auto* data = value.GetTensorData<float>();
        result.data.assign(data, data + count);
      } else {
        throw BundleError("only float32 and int64 outputs are read here; use runtime/python");
      }
      results.push_back(std::move(result));
    }
    return results;
  }

 private:
  Ort::Env env_;
  Ort::Session session_{nullptr};
  std::string input_;
  std::vector<std::string> outputs_;
};

#else

inline const char* engine_name() { return "OpenCV dnn " CV_VERSION; }

class ModelEngine : public Engine {
 public:
  ModelEngine(const std::string& file, const json& metadata) {
    cv::setNumThreads(1);
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
    guarded([&] { net_ = cv::dnn::readNetFromONNX(file); });
    net_.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
    for (const json& output : metadata.at("outputs")) outputs_.push_back(output.at("name"));
  }

  std::vector<Tensor> run(const Tensor& input) override {
    const std::vector<int> dims(input.dims.begin(), input.dims.end());
    cv::Mat blob(dims, CV_32F);
    std::copy(input.data.begin(), input.data.end(), blob.ptr<float>());
    net_.setInput(blob);
    std::vector<cv::Mat> outputs;
    guarded([&] { net_.forward(outputs, outputs_); });
    std::vector<Tensor> results;
    for (const cv::Mat& output : outputs) {
      cv::Mat values;
      output.convertTo(values, CV_32F);
      Tensor result;
      result.dims.assign(values.size.p, values.size.p + values.dims);
      result.data.assign(values.ptr<float>(), values.ptr<float>() + values.total());
      results.push_back(std::move(result));
    }
    return results;
  }

 private:
  // OpenCV's importer knows part of ONNX only: transformers and end-to-end detectors often need ONNX Runtime.
  template <typename Step>
  static void guarded(const Step& step) {
    try {
      step();
    } catch (const cv::Exception& error) {
      throw BundleError("OpenCV " CV_VERSION " cannot run this model; build with ONNX Runtime (-DONNXRUNTIME_ROOT=DIR). It says: " + error.err);
    }
  }

  cv::dnn::Net net_;
  std::vector<std::string> outputs_;
};

#endif

inline std::string model_file(const json& metadata) {
  if (metadata.at("artifact").at("format") != "onnx")
    throw BundleError("this wrapper runs ONNX files, the bundle holds " + metadata["artifact"]["format"].get<std::string>() + "; use runtime/python");
  for (const json& file : metadata["artifact"]["files"]) {
    const std::string path = file.at("path");
    if (path.size() > 5 && path.compare(path.size() - 5, 5, ".onnx") == 0) return path;
  }
  return "model.onnx";
}

}  // namespace trainyard
