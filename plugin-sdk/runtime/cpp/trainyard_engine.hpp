// The two engines that run model.onnx: ONNX Runtime (its C API) where header and library are found (TRAINYARD_WITH_ORT), else OpenCV's dnn module.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "trainyard_predict.hpp"

#if defined(TRAINYARD_WITH_ORT)
#include <onnxruntime_c_api.h>
#elif defined(TRAINYARD_WITH_OPENCV)
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/dnn.hpp>
#else
#error "Define TRAINYARD_WITH_ORT or TRAINYARD_WITH_OPENCV (CMakeLists.txt does)."
#endif

namespace trainyard {

#if defined(TRAINYARD_WITH_ORT)

// Every function used here is in the first version of the C API, so library and header may be of different releases.
inline const OrtApi& ort() {
  static const OrtApi* api = OrtGetApiBase()->GetApi(1);
  if (api == nullptr) throw BundleError("the ONNX Runtime library is not usable; install a release from 1.0 on");
  return *api;
}

inline std::string engine_name() { return std::string("ONNX Runtime ") + OrtGetApiBase()->GetVersionString(); }

// Frees what the C API hands out.
template <typename Thing>
struct OrtDeleter {
  void (ORT_API_CALL* release)(Thing*) = nullptr;
  void operator()(Thing* thing) const { release(thing); }
};
template <typename Thing>
using OrtOwned = std::unique_ptr<Thing, OrtDeleter<Thing>>;

template <typename Thing>
OrtOwned<Thing> ort_owned(Thing* thing, void (ORT_API_CALL* release)(Thing*)) {
  return OrtOwned<Thing>(thing, OrtDeleter<Thing>{release});
}

// `doing` completes "ONNX Runtime cannot ...".
inline void ort_check(OrtStatus* status, const std::string& doing) {
  if (status == nullptr) return;
  const auto owned = ort_owned(status, ort().ReleaseStatus);
  throw BundleError(engine_name() + " cannot " + doing + ". It says: " + ort().GetErrorMessage(owned.get()));
}

class ModelEngine : public Engine {
 public:
  ModelEngine(const std::string& file, const json&) {
    OrtEnv* env = nullptr;
    ort_check(ort().CreateEnv(ORT_LOGGING_LEVEL_ERROR, "trainyard", &env), "start");
    env_ = ort_owned(env, ort().ReleaseEnv);
    OrtSessionOptions* made = nullptr;
    ort_check(ort().CreateSessionOptions(&made), "start");
    const auto options = ort_owned(made, ort().ReleaseSessionOptions);
    ort_check(ort().SetIntraOpNumThreads(options.get(), 1), "use one thread");
    const std::basic_string<ORTCHAR_T> path(file.begin(), file.end());
    OrtSession* session = nullptr;
    ort_check(ort().CreateSession(env_.get(), path.c_str(), options.get(), &session), "read " + file + "; unpack the whole bundle, or use a newer release");
    session_ = ort_owned(session, ort().ReleaseSession);
    std::size_t inputs = 0, outputs = 0;
    ort_check(ort().SessionGetInputCount(session, &inputs), "list the inputs");
    ort_check(ort().SessionGetOutputCount(session, &outputs), "list the outputs");
    if (inputs != 1) throw BundleError(file + " has " + std::to_string(inputs) + " inputs; this wrapper feeds one picture");
    input_ = name_of(ort().SessionGetInputName, 0);
    for (std::size_t i = 0; i < outputs; ++i) outputs_.push_back(name_of(ort().SessionGetOutputName, i));
  }

  std::vector<Tensor> run(const Tensor& input) override {
    std::vector<float> values(input.data.begin(), input.data.end());
    OrtMemoryInfo* place = nullptr;
    ort_check(ort().CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &place), "use memory");
    const auto memory = ort_owned(place, ort().ReleaseMemoryInfo);
    OrtValue* wrapped = nullptr;
    ort_check(ort().CreateTensorWithDataAsOrtValue(memory.get(), values.data(), values.size() * sizeof(float), input.dims.data(), input.dims.size(),
                                                   ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &wrapped),
              "take the picture");
    const auto tensor = ort_owned(wrapped, ort().ReleaseValue);
    const OrtValue* given = tensor.get();
    const char* name = input_.c_str();
    std::vector<const char*> names;
    for (const std::string& output : outputs_) names.push_back(output.c_str());
    std::vector<OrtValue*> found(names.size(), nullptr);
    OrtStatus* status = ort().Run(session_.get(), nullptr, &name, &given, 1, names.data(), names.size(), found.data());
    std::vector<OrtOwned<OrtValue>> owned;
    for (OrtValue* value : found) owned.push_back(ort_owned(value, ort().ReleaseValue));
    ort_check(status, "run the model on this picture");
    std::vector<Tensor> results;
    for (std::size_t i = 0; i < owned.size(); ++i) results.push_back(read(owned[i].get(), outputs_[i]));
    return results;
  }

 private:
  template <typename Getter>
  std::string name_of(Getter getter, std::size_t at) const {
    OrtAllocator* allocator = nullptr;  // ONNX Runtime's own, not released
    ort_check(ort().GetAllocatorWithDefaultOptions(&allocator), "use memory");
    char* text = nullptr;
    ort_check(getter(session_.get(), at, allocator, &text), "name its inputs and outputs");
    const std::string name = text;
    ort_check(ort().AllocatorFree(allocator, text), "free memory");
    return name;
  }

  static Tensor read(OrtValue* value, const std::string& name) {
    int tensor = 0;
    ort_check(ort().IsTensor(value, &tensor), "read output " + name);
    if (tensor == 0) throw BundleError("output " + name + " is no tensor; use runtime/python");
    OrtTensorTypeAndShapeInfo* made = nullptr;
    ort_check(ort().GetTensorTypeAndShape(value, &made), "read output " + name);
    const auto info = ort_owned(made, ort().ReleaseTensorTypeAndShapeInfo);
    ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    ort_check(ort().GetTensorElementType(info.get(), &type), "read output " + name);
    std::size_t rank = 0, count = 0;
    ort_check(ort().GetDimensionsCount(info.get(), &rank), "read output " + name);
    ort_check(ort().GetTensorShapeElementCount(info.get(), &count), "read output " + name);
    Tensor result;
    result.dims.resize(rank);
    ort_check(ort().GetDimensions(info.get(), result.dims.data(), rank), "read output " + name);
    void* data = nullptr;
    ort_check(ort().GetTensorMutableData(value, &data), "read output " + name);
    if (type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT) copy<float>(data, count, result);
    else if (type == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64) copy<std::int64_t>(data, count, result);
    else if (type == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32) copy<std::int32_t>(data, count, result);
    else throw BundleError("output " + name + " is of a type not read here (float32, int64 and int32 are); use runtime/python");
    return result;
  }

  template <typename Number>
  static void copy(const void* data, std::size_t count, Tensor& into) {
    const auto* numbers = static_cast<const Number*>(data);
    into.data.assign(numbers, numbers + count);
  }

  OrtOwned<OrtEnv> env_;
  OrtOwned<OrtSession> session_;  // after env_: released before it
  std::string input_;
  std::vector<std::string> outputs_;
};

#else

inline std::string engine_name() { return "OpenCV dnn " CV_VERSION; }

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
  // OpenCV's importer knows part of ONNX only: 4.6 reads classifiers, detectors and the rest need ONNX Runtime.
  template <typename Step>
  static void guarded(const Step& step) {
    try {
      step();
    } catch (const cv::Exception& error) {
      throw BundleError("OpenCV " CV_VERSION " cannot run this model; build with ONNX Runtime (runtime/cpp/CMakeLists.txt says how). It says: " + error.err);
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
