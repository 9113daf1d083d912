// Runs an exported Trainyard model: what metadata.json lists before and after the model. The model itself runs in an Engine
// (trainyard_engine.hpp has two), the picture is a buffer of RGB bytes: this header needs the standard library and nlohmann/json only.
//
//   trainyard::Predictor predictor(trainyard::read_json("bundle/metadata.json"), engine);
//   trainyard::Prediction line = predictor.predict({rgb, width, height});
//
// The operations are the closed lists of export/v1; nothing here belongs to one model. The wrappers in python/ and ts/ compute the same.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <limits>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace trainyard {

using nlohmann::json;
using Row = std::vector<double>;
using Point = std::array<double, 2>;

// The bundle or the picture cannot be used; the text says what and how to mend it.
struct BundleError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline json read_json(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw BundleError(path + " cannot be read; unpack the whole bundle");
  return json::parse(file);
}

// Row by row, three bytes a pixel; not owned.
struct Picture {
  const std::uint8_t* rgb = nullptr;
  int width = 0;
  int height = 0;
};

struct Tensor {
  std::vector<std::int64_t> dims;
  std::vector<double> data;
};

// What runs the model file: one input, outputs in the file's order.
struct Engine {
  virtual ~Engine() = default;
  virtual std::vector<Tensor> run(const Tensor& input) = 0;
};

// Run lengths down the columns, background first.
struct Rle {
  int height = 0;
  int width = 0;
  std::vector<std::int64_t> counts;
};

struct Instance {
  int label = 0;
  double score = 0;
  std::array<double, 4> box{};           // x1 y1 x2 y2 in pixels of the picture
  std::optional<Rle> mask;
  std::vector<std::array<double, 3>> keypoints;  // x, y, visibility
  std::vector<Point> obb;                // four corners
};

struct ClassScore {
  int label = 0;
  double score = 0;
};

// Class of every pixel.
struct IndexMask {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> data;
};

struct Prediction {
  int width = 0;
  int height = 0;
  std::optional<std::vector<ClassScore>> classes;
  std::optional<std::vector<Instance>> instances;
  std::optional<IndexMask> mask;
};

// --- before the model ---------------------------------------------------------------------------------------------------------------

// A picture on its way to the tensor and how its pixels lie: model = image x scale + shift.
struct Frame {
  int width = 0;
  int height = 0;
  int channels = 3;
  std::vector<double> data;
  int first_width = 0;
  int first_height = 0;
  Point scale{1, 1};
  Point shift{0, 0};
};

namespace detail {

struct Taps {
  std::vector<std::vector<std::pair<int, double>>> rows;
};

// To the nearest, halves to even.
inline int half_to_even(double value) {
  const double low = std::floor(value), part = value - low;
  if (part != 0.5) return static_cast<int>(part < 0.5 ? low : low + 1);
  return static_cast<int>(std::fmod(low, 2) == 0 ? low : low + 1);
}

// Halves upwards, also those that the last bit missed: every language rounds alike.
inline double to_byte(double value) { return std::clamp(std::floor(value + (0.5 + 1e-7)), 0.0, 255.0); }

inline double kernel(double distance, int radius, double a) {
  const double d = std::fabs(distance);
  if (radius == 1) return d < 1 ? 1 - d : 0;
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((d - 5) * d + 8) * d * a - 4 * a : 0;
}

inline void normalise(std::vector<std::pair<int, double>>& row) {
  double sum = 0;
  for (const auto& tap : row) sum += tap.second;
  for (auto& tap : row) tap.second /= sum;
}

// Which source pixels make each target pixel, with which weights. Half-pixel centres.
inline Taps taps_of(int source, int target, const std::string& interpolation, bool antialias) {
  Taps taps;
  taps.rows.resize(target);
  const double scale = static_cast<double>(source) / target;
  const int radius = interpolation == "bicubic" ? 2 : 1;
  for (int i = 0; i < target; ++i) {
    auto& row = taps.rows[i];
    const double centre = (i + 0.5) * scale;
    if (interpolation == "nearest") {
      row.push_back({std::clamp(static_cast<int>(std::floor(centre + 1e-9)), 0, source - 1), 1.0});
    } else if (interpolation == "area") {
      const double first = i * scale;
      const int start = static_cast<int>(std::floor(first));
      for (int k = start; k <= start + static_cast<int>(std::ceil(scale)); ++k) {
        const double part = std::min(k + 1.0, first + scale) - std::max<double>(k, first);
        if (k < source && part > 1e-9) row.push_back({k, part});
      }
      normalise(row);
    } else if (!antialias) {
      const int start = static_cast<int>(std::floor(centre - 0.5)) - (radius - 1);
      for (int k = start; k < start + 2 * radius; ++k)
        row.push_back({std::clamp(k, 0, source - 1), kernel(k - (centre - 0.5), radius, -0.75)});
    } else {
      const double spread = std::max(scale, 1.0), support = radius * spread;
      const int low = std::max(static_cast<int>(std::floor(centre - support + 0.5)), 0);
      const int high = std::min(static_cast<int>(std::floor(centre + support + 0.5)), source);
      for (int k = low; k < high; ++k) row.push_back({k, kernel((k + 0.5 - centre) / spread, radius, -0.5)});
      normalise(row);
    }
  }
  return taps;
}

}  // namespace detail

namespace detail {

inline void resize_columns(Frame& frame, int width, const std::string& interpolation, bool antialias) {
  const int channels = frame.channels;
  const auto taps = taps_of(frame.width, width, interpolation, antialias);
  std::vector<double> out(static_cast<std::size_t>(frame.height) * width * channels);
  for (int y = 0; y < frame.height; ++y) {
    const double* line = &frame.data[static_cast<std::size_t>(y) * frame.width * channels];
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c) {
        double sum = 0;
        for (const auto& [from, part] : taps.rows[x]) sum += line[from * channels + c] * part;
        out[(static_cast<std::size_t>(y) * width + x) * channels + c] = sum;
      }
    }
  }
  frame.data = std::move(out);
  frame.width = width;
}

inline void resize_rows(Frame& frame, int height, const std::string& interpolation, bool antialias) {
  const auto taps = taps_of(frame.height, height, interpolation, antialias);
  const std::size_t line = static_cast<std::size_t>(frame.width) * frame.channels;
  std::vector<double> out(height * line);
  for (int y = 0; y < height; ++y)
    for (const auto& [from, part] : taps.rows[y])
      for (std::size_t i = 0; i < line; ++i) out[y * line + i] += frame.data[from * line + i] * part;
  frame.data = std::move(out);
  frame.height = height;
}

}  // namespace detail

// `whole` rounds to 0..255, with antialias after each direction, as Pillow does.
inline void resize(Frame& frame, int height, int width, const std::string& interpolation, bool antialias, bool whole) {
  const bool stepwise = whole && antialias;
  // Pillow's order since version 13: rows first where they shrink by far the most.
  const int shrink = frame.height - height;
  const bool rows_first = stepwise && shrink > 0 && shrink > (frame.width - width) * 2;
  for (const bool rows : {rows_first, !rows_first}) {
    if (rows && frame.height != height) detail::resize_rows(frame, height, interpolation, antialias);
    else if (!rows && frame.width != width) detail::resize_columns(frame, width, interpolation, antialias);
    else continue;
    if (stepwise) std::transform(frame.data.begin(), frame.data.end(), frame.data.begin(), detail::to_byte);
  }
  if (whole) std::transform(frame.data.begin(), frame.data.end(), frame.data.begin(), detail::to_byte);
}

namespace detail {

// Cuts and pads so that the old (0, 0) lies at (top, left) of a height x width picture.
inline void place(Frame& frame, int height, int width, int top, int left, const json& pad) {
  const int channels = frame.channels;
  std::vector<double> fill(channels, 0.0);
  if (pad.is_number()) fill.assign(channels, pad.get<double>());
  if (pad.is_array() && !pad.empty())
    for (int c = 0; c < channels; ++c) fill[c] = pad[static_cast<int>(pad.size()) == channels ? c : 0].get<double>();
  std::vector<double> out(static_cast<std::size_t>(height) * width * channels);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int sx = x - left, sy = y - top;
      const bool inside = sx >= 0 && sy >= 0 && sx < frame.width && sy < frame.height;
      for (int c = 0; c < channels; ++c)
        out[(static_cast<std::size_t>(y) * width + x) * channels + c] =
            inside ? frame.data[(static_cast<std::size_t>(sy) * frame.width + sx) * channels + c] : fill[c];
    }
  }
  frame.data = std::move(out);
  frame.width = width;
  frame.height = height;
  frame.shift[0] += left;
  frame.shift[1] += top;
}

inline std::pair<int, int> pair_of(const json& size) {
  if (size.is_array()) return {size[0].get<int>(), size[1].get<int>()};
  return {size.get<int>(), size.get<int>()};
}

inline json pad_value(const json& op) { return op.contains("padValue") ? op["padValue"] : json(0); }

inline void resize_op(Frame& frame, const json& op) {
  const double w = frame.width, h = frame.height;
  const auto [target_h, target_w] = pair_of(op.at("size"));
  int new_h = target_h, new_w = target_w;
  const std::string mode = op.value("mode", "stretch");
  if (mode == "letterbox") {
    double uniform = std::min(target_w / w, target_h / h);
    if (!op.value("scaleUp", true)) uniform = std::min(uniform, 1.0);
    new_h = std::max(half_to_even(h * uniform), 1);
    new_w = std::max(half_to_even(w * uniform), 1);
  } else if (mode == "shorter-edge" || mode == "longer-edge") {
    const double edge = mode == "shorter-edge" ? std::min(h, w) : std::max(h, w);
    const double half = mode == "shorter-edge" ? 0.0 : 0.5;
    new_h = std::max(static_cast<int>(std::floor(target_h * h / edge + half)), 1);
    new_w = std::max(static_cast<int>(std::floor(target_h * w / edge + half)), 1);
  } else if (mode != "stretch") {
    throw BundleError("metadata.json: resize mode " + mode + " is not known to this wrapper");
  }
  resize(frame, new_h, new_w, op.value("interpolation", "bilinear"), op.value("antialias", false), op.value("round", "uint8") == "uint8");
  const Point ratio{new_w / w, new_h / h};
  for (int axis = 0; axis < 2; ++axis) {
    frame.scale[axis] *= ratio[axis];
    frame.shift[axis] *= ratio[axis];
  }
  if (mode != "letterbox") return;
  const bool centred = op.value("align", "center") == "center";
  place(frame, target_h, target_w, centred ? (target_h - new_h) / 2 : 0, centred ? (target_w - new_w) / 2 : 0, pad_value(op));
}

inline void crop_op(Frame& frame, const json& op) {
  const auto [height, width] = pair_of(op.at("size"));
  const auto offset = [](int have, int want) { return have >= want ? -half_to_even((have - want) / 2.0) : (want - have) / 2; };
  place(frame, height, width, offset(frame.height, height), offset(frame.width, width), pad_value(op));
}

inline void pad_op(Frame& frame, const json& op) {
  int height = 0, width = 0;
  if (op.contains("to")) {
    std::tie(height, width) = pair_of(op["to"]);
  } else {
    const auto [step_h, step_w] = pair_of(op.at("multipleOf"));
    height = (frame.height + step_h - 1) / step_h * step_h;
    width = (frame.width + step_w - 1) / step_w * step_w;
  }
  const bool centred = op.value("align", "top-left") == "center";
  const auto start = [&](int want, int have) { return centred ? static_cast<int>(std::floor((want - have) / 2.0)) : 0; };
  place(frame, height, width, start(height, frame.height), start(width, frame.width), pad_value(op));
}

inline void decode_color(Frame& frame, const std::string& color) {
  if (color == "rgb") return;
  const std::size_t pixels = frame.data.size() / 3;
  if (color == "bgr") {
    for (std::size_t i = 0; i < pixels; ++i) std::swap(frame.data[i * 3], frame.data[i * 3 + 2]);
  } else if (color == "gray") {
    std::vector<double> out(pixels);
    for (std::size_t i = 0; i < pixels; ++i) {
      const auto part = [&](int c) { return static_cast<std::int64_t>(frame.data[i * 3 + c]); };
      out[i] = static_cast<double>((part(0) * 19595 + part(1) * 38470 + part(2) * 7471 + 32768) >> 16);
    }
    frame.data = std::move(out);
    frame.channels = 1;
  } else {
    throw BundleError("metadata.json: colour order " + color + " is not known to this wrapper");
  }
}

inline Frame prepare(const json& metadata, const Picture& picture, Tensor& tensor) {
  if (picture.rgb == nullptr || picture.width < 1 || picture.height < 1) throw BundleError("the picture is empty");
  Frame frame;
  frame.width = frame.first_width = picture.width;
  frame.height = frame.first_height = picture.height;
  frame.data.assign(picture.rgb, picture.rgb + static_cast<std::size_t>(picture.width) * picture.height * 3);
  std::string layout = "NHWC";
  for (const json& op : metadata.at("preprocess")) {
    const std::string name = op.at("op");
    if (name == "decode") decode_color(frame, op.value("color", "rgb"));
    else if (name == "resize") resize_op(frame, op);
    else if (name == "crop") crop_op(frame, op);
    else if (name == "pad") pad_op(frame, op);
    else if (name == "rescale") {
      const double factor = op.at("factor");
      for (double& value : frame.data) value *= factor;
    } else if (name == "normalize") {
      const Row mean = op.at("mean"), deviation = op.at("std");
      for (std::size_t i = 0; i < frame.data.size(); ++i) {
        const std::size_t c = i % frame.channels;
        frame.data[i] = (frame.data[i] - mean[c % mean.size()]) / deviation[c % deviation.size()];
      }
    } else if (name == "transpose") layout = op.at("layout");
    else if (name != "cast") throw BundleError("metadata.json: operation " + name + " is not known to this wrapper");
  }
  const std::int64_t h = frame.height, w = frame.width, c = frame.channels;
  if (layout != "NCHW") {
    tensor = {{1, h, w, c}, frame.data};
    return frame;
  }
  tensor.dims = {1, c, h, w};
  tensor.data.resize(frame.data.size());
  for (std::int64_t i = 0; i < h * w; ++i)
    for (std::int64_t k = 0; k < c; ++k) tensor.data[k * h * w + i] = frame.data[i * c + k];
  return frame;
}

// --- after the model ----------------------------------------------------------------------------------------------------------------

// Before it is scaled back: pixels of the model's input.
struct Candidate {
  int label = 0;
  double score = 0;
  std::array<double, 4> box{};
  Row coefficients;
  std::vector<std::array<double, 3>> keypoints;
  std::optional<std::array<double, 5>> rotated;  // cx cy w h angle
};

template <typename Item>
void rank(std::vector<Item>& items) {
  std::stable_sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.score > b.score; });
}

inline double sigmoid(double value) {
  const double power = std::exp(-std::fabs(value));
  return value >= 0 ? 1 / (1 + power) : power / (1 + power);
}

inline Tensor softmax(const Tensor& tensor, int axis) {
  const int at = axis < 0 ? static_cast<int>(tensor.dims.size()) + axis : axis;
  const std::int64_t count = tensor.dims.at(at);
  std::int64_t inner = 1;
  for (std::size_t i = at + 1; i < tensor.dims.size(); ++i) inner *= tensor.dims[i];
  Tensor out = tensor;
  for (std::int64_t base = 0; base < static_cast<std::int64_t>(tensor.data.size()); base += count * inner) {
    for (std::int64_t i = base; i < base + inner; ++i) {
      double most = -std::numeric_limits<double>::infinity(), sum = 0;
      for (std::int64_t k = 0; k < count; ++k) most = std::max(most, tensor.data[i + k * inner]);
      for (std::int64_t k = 0; k < count; ++k) sum += out.data[i + k * inner] = std::exp(tensor.data[i + k * inner] - most);
      for (std::int64_t k = 0; k < count; ++k) out.data[i + k * inner] /= sum;
    }
  }
  return out;
}

inline std::array<double, 4> corners_of_centre(double x, double y, double w, double h) {
  return {x - w / 2, y - h / 2, x + w / 2, y + h / 2};
}

inline Candidate best_class(const std::array<double, 4>& box, const double* scores, std::int64_t count) {
  const auto best = std::max_element(scores, scores + count);
  Candidate item;
  item.label = static_cast<int>(best - scores);
  item.score = count > 0 ? *best : 0;
  item.box = box;
  return item;
}

// K x D numbers to K points; a point without visibility counts as sure.
inline std::vector<std::array<double, 3>> points_of(const double* rest, std::int64_t length, const json& op) {
  std::int64_t count = length / 3, size = 3;
  if (op.contains("keypoints") && op["keypoints"].is_array()) {
    count = op["keypoints"][0];
    size = op["keypoints"][1];
  }
  std::vector<std::array<double, 3>> points;
  for (std::int64_t k = 0; k < count; ++k) points.push_back({rest[k * size], rest[k * size + 1], size == 3 ? rest[k * size + 2] : 1.0});
  return points;
}

inline double iou(const std::array<double, 4>& a, const std::array<double, 4>& b) {
  const double shared = std::max(std::min(a[2], b[2]) - std::max(a[0], b[0]), 0.0) * std::max(std::min(a[3], b[3]) - std::max(a[1], b[1]), 0.0);
  const double area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared;
  return area > 0 ? shared / area : 0;
}

// Likeness of two rotated boxes seen as Gaussians (1 - Hellinger distance).
inline double probiou(const std::array<double, 5>& one, const std::array<double, 5>& two) {
  const auto spread = [](const std::array<double, 5>& box) {
    const double w = box[2] * box[2] / 12, h = box[3] * box[3] / 12, cos = std::cos(box[4]), sin = std::sin(box[4]);
    return std::array<double, 3>{w * cos * cos + h * sin * sin, w * sin * sin + h * cos * cos, (w - h) * cos * sin};
  };
  const double tiny = 1e-7;
  const auto [a1, b1, c1] = spread(one);
  const auto [a2, b2, c2] = spread(two);
  const double dx = two[0] - one[0], dy = one[1] - two[1];
  const double det = (a1 + a2) * (b1 + b2) - (c1 + c2) * (c1 + c2);
  const double near = ((a1 + a2) * dy * dy + (b1 + b2) * dx * dx) / (det + tiny) * 0.25 + (c1 + c2) * dx * dy / (det + tiny) * 0.5;
  const double own = std::sqrt(std::max(a1 * b1 - c1 * c1, 0.0) * std::max(a2 * b2 - c2 * c2, 0.0));
  const double distance = std::clamp(near + std::log(det / (4 * own + tiny) + tiny) * 0.5, tiny, 100.0);
  return 1 - std::sqrt(1 - std::exp(-distance) + tiny);
}

inline std::vector<Candidate> nms(std::vector<Candidate> found, const json& op) {
  rank(found);
  const bool rotated = op.value("metric", "iou") == "probiou", agnostic = op.value("classAgnostic", false);
  const double limit = op.at("iou");
  const std::size_t most = op.value("maxDetections", 300);
  std::vector<Candidate> kept;
  std::vector<const Candidate*> rivals;
  kept.reserve(found.size());
  for (const Candidate& item : found) {
    if (kept.size() >= most) break;
    if (rotated && !item.rotated) throw BundleError("metadata.json: nms with metric probiou needs rotated boxes");
    const bool hidden = std::any_of(rivals.begin(), rivals.end(), [&](const Candidate* better) {
      if (!agnostic && better->label != item.label) return false;
      return (rotated ? probiou(*better->rotated, *item.rotated) : iou(better->box, item.box)) > limit;
    });
    if (!hidden) kept.push_back(item);
    // With iou a hidden box hides no other; with probiou it does (fast NMS).
    if (!hidden || rotated) rivals.push_back(&item);
  }
  return kept;
}

// Where a place falls between the cells of a line: lower cell, upper cell, part of the upper.
struct Between {
  int low = 0;
  int high = 0;
  double part = 0;
};

inline Between cells(double raw, int source) {
  const double at = std::clamp(raw, 0.0, source - 1.0);
  const int low = static_cast<int>(std::floor(at));
  return {low, std::min(low + 1, source - 1), at - low};
}

inline std::vector<Between> looks(int size, int source, bool nearest, bool corners) {
  std::vector<Between> found;
  for (int i = 0; i < size; ++i) {
    const double step = static_cast<double>(source) / size;
    if (nearest) {
      const int at = std::clamp(static_cast<int>(std::floor((i + 0.5) * step)), 0, source - 1);
      found.push_back({at, at, 0});
    } else if (corners) {
      found.push_back(cells(size > 1 ? i * ((source - 1.0) / (size - 1)) : 0.0, source));
    } else {
      found.push_back(cells((i + 0.5) * step - 0.5, source));
    }
  }
  return found;
}

inline Rle encode_rle(const IndexMask& mask) {
  Rle rle{mask.height, mask.width, {}};
  int last = 0;
  std::int64_t run = 0;
  for (int x = 0; x < mask.width; ++x) {
    for (int y = 0; y < mask.height; ++y) {
      const int value = mask.data[static_cast<std::size_t>(y) * mask.width + x] == 0 ? 0 : 1;
      if (value != last) {
        rle.counts.push_back(run);
        run = 0;
        last = value;
      }
      ++run;
    }
  }
  rle.counts.push_back(run);
  return rle;
}

class Post {
 public:
  Post(const json& metadata, std::vector<Tensor> outputs, const Frame& frame)
      : metadata_(metadata), outputs_(std::move(outputs)), frame_(frame) {}

  Prediction run() {
    for (const json& op : metadata_.at("postprocess")) apply(op);
    Prediction line;
    line.width = frame_.first_width;
    line.height = frame_.first_height;
    if (found_) line.instances = instances();
    else if (mask_) line.mask = back_ ? mask_back() : *mask_;
    else line.classes = ranking();
    return line;
  }

 private:
  const json& metadata_;
  std::vector<Tensor> outputs_;
  const Frame& frame_;
  std::optional<std::vector<Candidate>> found_;
  std::optional<Tensor> scores_;
  std::optional<std::vector<ClassScore>> classes_;
  std::optional<IndexMask> mask_;
  std::optional<double> mask_limit_;
  bool back_ = false;

  Tensor& output(std::size_t index) {
    if (index >= outputs_.size()) throw BundleError("the model gives fewer outputs than metadata.json promises");
    return outputs_[index];
  }

  std::vector<Candidate>& found() {
    if (!found_) throw BundleError("metadata.json: decode must come before nms and the like");
    return *found_;
  }

  std::vector<ClassScore>& ranking() {
    if (!classes_) {
      const Tensor& tensor = scores_ ? *scores_ : output(0);
      std::vector<ClassScore> all;
      for (std::size_t i = 0; i < tensor.data.size(); ++i) all.push_back({static_cast<int>(i), tensor.data[i]});
      rank(all);
      classes_ = std::move(all);
    }
    return *classes_;
  }

  template <typename Item>
  static void keep_over(std::vector<Item>& items, double limit) {
    items.erase(std::remove_if(items.begin(), items.end(), [&](const Item& item) { return !(item.score >= limit); }), items.end());
  }

  template <typename Item>
  static void keep_best(std::vector<Item>& items, std::size_t count) {
    rank(items);
    if (items.size() > count) items.erase(items.begin() + static_cast<std::ptrdiff_t>(count), items.end());
  }

  void apply(const json& op) {
    const std::string name = op.at("op");
    if (name == "softmax") output(0) = softmax(output(0), op.value("axis", 1));
    else if (name == "sigmoid") std::transform(output(0).data.begin(), output(0).data.end(), output(0).data.begin(), sigmoid);
    else if (name == "decode") decode(op);
    else if (name == "threshold") found_ ? keep_over(*found_, op.at("score")) : keep_over(ranking(), op.at("score"));
    else if (name == "nms") found_ = nms(std::move(found()), op);
    else if (name == "topk") found_ ? keep_best(*found_, op.at("k")) : keep_best(ranking(), op.at("k"));
    else if (name == "upsample") upsample(op);
    else if (name == "argmax") argmax(op.value("axis", 1));
    else if (name == "mask-assemble") {
      const double limit = op.value("threshold", 0.5);
      mask_limit_ = limit <= 0 ? 0.0 : std::log(limit / (1 - limit));
    } else if (name == "scale-back") back_ = true;
    else throw BundleError("metadata.json: operation " + name + " is not known to this wrapper");
  }

  void decode(const json& op) {
    const std::string scheme = op.at("scheme");
    if (scheme == "logits") scores_ = softmax(output(0), -1);
    else if (scheme == "probs") scores_ = output(0);
    else if (scheme == "yolo-raw" || scheme == "yolo-seg-raw" || scheme == "yolo-pose-raw" || scheme == "yolo-obb-raw") yolo(scheme, op);
    else if (scheme == "yolo-end2end") end2end(op);
    else if (scheme == "detr") detr(op);
    else if (scheme == "detr-concat") {
      const Tensor& rows = output(0);
      const std::int64_t width = rows.dims.at(2);
      std::vector<Candidate> all;
      for (std::int64_t i = 0; i < rows.dims.at(1); ++i)
        all.push_back(best_class(from_unit(&rows.data[i * width]), &rows.data[i * width + 4], width - 4));
      found_ = std::move(all);
    } else if (scheme != "semantic-logits") {
      throw BundleError("metadata.json: decode scheme " + scheme + " is not known to this wrapper");
    }
  }

  std::array<double, 4> from_unit(const double* box) const {
    return corners_of_centre(box[0] * frame_.width, box[1] * frame_.height, box[2] * frame_.width, box[3] * frame_.height);
  }

  void yolo(const std::string& scheme, const json& op) {
    const Tensor& tensor = output(0);
    const std::int64_t width = tensor.dims.at(1), count = tensor.dims.at(2);
    const std::int64_t classes = op.value("classes", static_cast<std::int64_t>(metadata_.at("labels").size()));
    std::vector<Candidate> all;
    Row row(width);
    for (std::int64_t i = 0; i < count; ++i) {
      for (std::int64_t k = 0; k < width; ++k) row[k] = tensor.data[k * count + i];
      Candidate item = best_class(corners_of_centre(row[0], row[1], row[2], row[3]), &row[4], classes);
      const double* rest = row.data() + 4 + classes;
      const std::int64_t length = width - 4 - classes;
      if (scheme == "yolo-seg-raw") item.coefficients.assign(rest, rest + length);
      else if (scheme == "yolo-pose-raw") item.keypoints = points_of(rest, length, op);
      else if (scheme == "yolo-obb-raw") item.rotated = {row[0], row[1], row[2], row[3], rest[0]};
      all.push_back(std::move(item));
    }
    found_ = std::move(all);
  }

  void end2end(const json& op) {
    const Tensor& tensor = output(0);
    const std::int64_t width = tensor.dims.at(2), length = width - 6;
    const bool turned = metadata_.at("model").at("task") == "obb" && length > 0;
    std::vector<Candidate> all;
    for (std::int64_t i = 0; i < tensor.dims.at(1); ++i) {
      const double* row = &tensor.data[i * width];
      Candidate item;
      item.score = row[4];
      item.label = static_cast<int>(std::floor(row[5] + 0.5));
      if (turned) {
        item.box = corners_of_centre(row[0], row[1], row[2], row[3]);
        item.rotated = {row[0], row[1], row[2], row[3], row[6]};
      } else {
        item.box = {row[0], row[1], row[2], row[3]};
        if (length > 0 && outputs_.size() > 1) item.coefficients.assign(row + 6, row + width);
        else if (length > 0) item.keypoints = points_of(row + 6, length, op);
      }
      all.push_back(std::move(item));
    }
    found_ = std::move(all);
  }

  void detr(const json& op) {
    std::size_t second = 1;
    const json& infos = metadata_.at("outputs");
    for (std::size_t i = infos.size(); i-- > 0;)
      if (infos[i].at("name").get<std::string>().find("box") != std::string::npos) second = i;
    const Tensor &logits = output(1 - second), &places = output(second);
    const json& info = infos.at(1 - second);
    const std::int64_t queries = logits.dims.at(1), width = logits.dims.at(2);
    const std::int64_t kept = info.value("background", op.value("background", false)) ? width - 1 : width;
    const std::string activation = info.value("activation", op.value("activation", "sigmoid"));
    std::vector<Candidate> all;
    if (activation == "softmax") {
      const Tensor scores = softmax(logits, -1);
      for (std::int64_t i = 0; i < queries; ++i) all.push_back(best_class(from_unit(&places.data[i * 4]), &scores.data[i * width], kept));
    } else {
      // A query may speak for several classes: the best pairs, as many as there are queries.
      for (std::int64_t i = 0; i < queries; ++i) {
        for (std::int64_t k = 0; k < kept; ++k) {
          Candidate item;
          item.label = static_cast<int>(k);
          item.score = sigmoid(logits.data[i * width + k]);
          item.box = from_unit(&places.data[i * 4]);
          all.push_back(std::move(item));
        }
      }
      keep_best(all, static_cast<std::size_t>(queries));
    }
    found_ = std::move(all);
  }

  void upsample(const json& op) {
    const Tensor tensor = output(0);
    const bool image = op.value("to", "input") == "image";
    const int height = image ? frame_.first_height : frame_.height, width = image ? frame_.first_width : frame_.width;
    const int channels = static_cast<int>(tensor.dims.at(1)), h = static_cast<int>(tensor.dims.at(2)), w = static_cast<int>(tensor.dims.at(3));
    const bool nearest = op.value("interpolation", "bilinear") == "nearest", corners = op.value("alignCorners", false);
    const auto across = looks(width, w, nearest, corners), down = looks(height, h, nearest, corners);
    Tensor out{{1, channels, height, width}, {}};
    out.data.reserve(static_cast<std::size_t>(channels) * height * width);
    for (int c = 0; c < channels; ++c) {
      for (const auto& [y0, y1, py] : down) {
        const double *top = &tensor.data[(static_cast<std::size_t>(c) * h + y0) * w], *bottom = &tensor.data[(static_cast<std::size_t>(c) * h + y1) * w];
        for (const auto& [x0, x1, px] : across) {
          const double upper = top[x0] * (1 - px) + top[x1] * px, lower = bottom[x0] * (1 - px) + bottom[x1] * px;
          out.data.push_back(upper * (1 - py) + lower * py);
        }
      }
    }
    output(0) = std::move(out);
  }

  // The index of the largest value along `axis` of [1, C, h, w] or [1, h, w, C].
  void argmax(int axis) {
    const Tensor& tensor = output(0);
    const int at = axis < 0 ? static_cast<int>(tensor.dims.size()) + axis : axis;
    const std::int64_t count = tensor.dims.at(at), height = tensor.dims.at(at == 1 ? 2 : 1), width = tensor.dims.at(at == 1 ? 3 : 2);
    const std::int64_t step = at == 1 ? height * width : 1, across = at == 1 ? 1 : count;
    IndexMask mask{static_cast<int>(width), static_cast<int>(height), std::vector<std::uint8_t>(height * width)};
    for (std::int64_t i = 0; i < height * width; ++i) {
      std::int64_t best = 0;
      for (std::int64_t k = 1; k < count; ++k)
        if (tensor.data[i * across + k * step] > tensor.data[i * across + best * step]) best = k;
      mask.data[i] = static_cast<std::uint8_t>(best);
    }
    mask_ = std::move(mask);
  }

  IndexMask mask_back() const {
    const IndexMask& mask = *mask_;
    const int width = frame_.first_width, height = frame_.first_height;
    // Already of the image's size (upsample to image).
    if (mask.width == width && mask.height == height && (frame_.width != width || frame_.height != height)) return mask;
    const auto look = [&](int axis, int size, int count, int side) {
      std::vector<int> found;
      for (int i = 0; i < size; ++i) {
        const double at = ((i + 0.5) * frame_.scale[axis] + frame_.shift[axis]) * (static_cast<double>(count) / side);
        found.push_back(std::clamp(static_cast<int>(std::floor(at)), 0, count - 1));
      }
      return found;
    };
    const auto across = look(0, width, mask.width, frame_.width), down = look(1, height, mask.height, frame_.height);
    IndexMask out{width, height, {}};
    for (const int y : down)
      for (const int x : across) out.data.push_back(mask.data[static_cast<std::size_t>(y) * mask.width + x]);
    return out;
  }

  Point moved(double x, double y) const {
    if (!back_) return {x, y};
    return {(x - frame_.shift[0]) / frame_.scale[0], (y - frame_.shift[1]) / frame_.scale[1]};
  }

  Point kept(const Point& point) const {
    if (!back_) return point;
    return {std::clamp(point[0], 0.0, static_cast<double>(frame_.first_width)), std::clamp(point[1], 0.0, static_cast<double>(frame_.first_height))};
  }

  std::vector<Instance> instances() {
    rank(found());
    std::vector<Instance> lines;
    for (const Candidate& item : *found_) {
      Instance line;
      line.label = item.label;
      line.score = item.score;
      Point low = moved(item.box[0], item.box[1]), high = moved(item.box[2], item.box[3]);
      if (item.rotated) {
        const auto [x, y, w, h, angle] = *item.rotated;
        const double cos = std::cos(angle), sin = std::sin(angle);
        const double ux = w / 2 * cos, uy = w / 2 * sin, vx = -h / 2 * sin, vy = h / 2 * cos;
        line.obb = {moved(x + ux + vx, y + uy + vy), moved(x + ux - vx, y + uy - vy), moved(x - ux - vx, y - uy - vy), moved(x - ux + vx, y - uy + vy)};
        low = high = line.obb[0];
        for (const Point& corner : line.obb) {
          for (int axis = 0; axis < 2; ++axis) {
            low[axis] = std::min(low[axis], corner[axis]);
            high[axis] = std::max(high[axis], corner[axis]);
          }
        }
      }
      low = kept(low);
      high = kept(high);
      line.box = {low[0], low[1], high[0], high[1]};
      for (const auto& [x, y, sure] : item.keypoints) {
        const Point place = kept(moved(x, y));
        line.keypoints.push_back({place[0], place[1], sure});
      }
      if (!item.coefficients.empty() && mask_limit_) line.mask = assemble(item.coefficients, line.box);
      lines.push_back(std::move(line));
    }
    return lines;
  }

  // The prototypes weighed, looked up between their four neighbours at every pixel whose centre lies in the box.
  Rle assemble(const Row& coefficients, const std::array<double, 4>& box) {
    const Tensor& prototypes = output(1);
    const int count = static_cast<int>(prototypes.dims.at(1)), h = static_cast<int>(prototypes.dims.at(2)), w = static_cast<int>(prototypes.dims.at(3));
    Row rough(static_cast<std::size_t>(h) * w, 0.0);
    for (int m = 0; m < count; ++m)
      for (std::size_t i = 0; i < rough.size(); ++i) rough[i] += coefficients.at(m) * prototypes.data[m * rough.size() + i];
    const int width = back_ ? frame_.first_width : frame_.width, height = back_ ? frame_.first_height : frame_.height;
    const auto span = [&](int axis, int size, int cell_count, int side) {
      const int first = std::max(static_cast<int>(std::ceil(box[axis] - 0.5)), 0), last = std::min(static_cast<int>(std::ceil(box[axis + 2] - 0.5)), size);
      std::vector<std::pair<int, Between>> found;
      for (int i = first; i < last; ++i) {
        const double at = back_ ? (i + 0.5) * frame_.scale[axis] + frame_.shift[axis] : i + 0.5;
        found.push_back({i, cells(at * (static_cast<double>(cell_count) / side) - 0.5, cell_count)});
      }
      return found;
    };
    IndexMask mask{width, height, std::vector<std::uint8_t>(static_cast<std::size_t>(width) * height)};
    const auto columns = span(0, width, w, frame_.width);
    for (const auto& [y, down] : span(1, height, h, frame_.height)) {
      const double *top = &rough[static_cast<std::size_t>(down.low) * w], *bottom = &rough[static_cast<std::size_t>(down.high) * w];
      for (const auto& [x, across] : columns) {
        const double upper = top[across.low] * (1 - across.part) + top[across.high] * across.part;
        const double lower = bottom[across.low] * (1 - across.part) + bottom[across.high] * across.part;
        if (upper * (1 - down.part) + lower * down.part > *mask_limit_) mask.data[static_cast<std::size_t>(y) * width + x] = 1;
      }
    }
    return encode_rle(mask);
  }
};

}  // namespace detail

class Predictor {
 public:
  Predictor(json metadata, Engine& engine) : metadata_(std::move(metadata)), engine_(engine) {
    if (metadata_.value("schema", "") != "export/v1") throw BundleError("metadata.json is not export/v1, which this wrapper reads");
    if (metadata_.at("inputs").at(0).at("dtype") != "float32") throw BundleError("only float32 inputs are fed here; use runtime/python");
  }

  const json& metadata() const { return metadata_; }

  // The model's input with the batch axis.
  Tensor preprocess(const Picture& picture) const {
    Tensor tensor;
    detail::prepare(metadata_, picture, tensor);
    return tensor;
  }

  Prediction predict(const Picture& picture) {
    Tensor tensor;
    const Frame frame = detail::prepare(metadata_, picture, tensor);
    return detail::Post(metadata_, engine_.run(tensor), frame).run();
  }

 private:
  json metadata_;
  Engine& engine_;
};

// One line of predictions; `mask` is the path given for the pixel mask of a semantic model.
inline json to_json(const Prediction& prediction, const std::string& mask_path = "") {
  json line{{"width", prediction.width}, {"height", prediction.height}};
  if (prediction.classes) {
    line["classes"] = json::array();
    for (const auto& [label, score] : *prediction.classes) line["classes"].push_back({{"class", label}, {"score", score}});
  }
  if (prediction.mask) line["mask"] = mask_path;
  if (!prediction.instances) return line;
  line["instances"] = json::array();
  for (const Instance& item : *prediction.instances) {
    json entry{{"class", item.label}, {"score", item.score}, {"box", item.box}};
    if (item.mask) entry["mask"] = {{"rle", {{"size", {item.mask->height, item.mask->width}}, {"counts", item.mask->counts}}}};
    if (!item.keypoints.empty()) entry["keypoints"] = item.keypoints;
    if (!item.obb.empty()) entry["obb"] = item.obb;
    line["instances"].push_back(std::move(entry));
  }
  return line;
}

}  // namespace trainyard
