// Runs the C++ wrapper for the comparison of all wrappers: lines `predict|prepare BUNDLE IMAGE OUT` on stdin, a line of JSON for each.
// OUT receives the input tensor as float32; a pixel mask is printed as a list of numbers. `resize` compares the wrapper's resize with
// OpenCV's: mean and largest difference of 255.
#include <iostream>
#include <memory>
#include <sstream>

#if defined(TRAINYARD_WITH_OPENCV)
#include <opencv2/imgproc.hpp>
#endif

#include "trainyard_engine.hpp"
#include "trainyard_png.hpp"

namespace {

using namespace trainyard;

#if defined(TRAINYARD_WITH_OPENCV)
json against_opencv(const Pixels& pixels) {
  const cv::Mat image(pixels.height, pixels.width, CV_8UC3, const_cast<std::uint8_t*>(pixels.data.data()));
  json found = json::array();
  const std::vector<std::pair<std::string, int>> kinds{{"bilinear", cv::INTER_LINEAR}, {"bicubic", cv::INTER_CUBIC}, {"area", cv::INTER_AREA}};
  for (const auto& [width, height] : std::vector<std::pair<int, int>>{{128, 96}, {41, 57}, {320, 200}}) {
    for (const auto& [name, kind] : kinds) {
      // Enlarging, OpenCV's area is another thing.
      if (name == "area" && (width > pixels.width || height > pixels.height)) continue;
      cv::Mat theirs;
      cv::resize(image, theirs, cv::Size(width, height), 0, 0, kind);
      Frame frame;
      frame.width = pixels.width;
      frame.height = pixels.height;
      frame.data.assign(pixels.data.begin(), pixels.data.end());
      resize(frame, height, width, name, false, true);
      double sum = 0, most = 0;
      for (std::size_t i = 0; i < frame.data.size(); ++i) {
        const double step = std::fabs(frame.data[i] - theirs.data[i]);
        sum += step;
        most = std::max(most, step);
      }
      found.push_back({{"kind", name}, {"size", {width, height}}, {"mean", sum / frame.data.size()}, {"most", most}});
    }
  }
  return found;
}
#endif

}  // namespace

int main() {
  std::string loaded;
  std::unique_ptr<ModelEngine> engine;
  for (std::string text; std::getline(std::cin, text);) {
    std::istringstream parts(text);
    std::string verb, bundle, image, out;
    std::getline(parts, verb, '\t');
    std::getline(parts, bundle, '\t');
    std::getline(parts, image, '\t');
    std::getline(parts, out, '\t');
    const Pixels pixels = read_png(image);
#if defined(TRAINYARD_WITH_OPENCV)
    if (verb == "resize") {
      std::cout << against_opencv(pixels).dump() << std::endl;
      continue;
    }
#endif
    const Picture picture{pixels.data.data(), pixels.width, pixels.height};
    const json metadata = read_json(bundle + "/metadata.json");
    if (verb == "predict" && loaded != bundle) {
      engine = std::make_unique<ModelEngine>(bundle + "/" + model_file(metadata), metadata);
      loaded = bundle;
    }
    struct Nothing : Engine {
      std::vector<Tensor> run(const Tensor&) override { return {}; }
    } nothing;
    Predictor predictor(metadata, verb == "predict" ? static_cast<Engine&>(*engine) : nothing);
    const Tensor tensor = predictor.preprocess(picture);
    const std::vector<float> values(tensor.data.begin(), tensor.data.end());
    std::ofstream(out, std::ios::binary).write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
    json line{{"dims", tensor.dims}, {"width", picture.width}, {"height", picture.height}};
    if (verb == "predict") {
      const Prediction prediction = predictor.predict(picture);
      line.update(to_json(prediction));
      if (prediction.mask) line["mask"] = prediction.mask->data;
    }
    std::cout << line.dump() << std::endl;
  }
  return 0;
}
