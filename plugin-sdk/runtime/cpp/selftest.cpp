// trainyard_selftest [BUNDLE]   checks an unpacked bundle: the picture in selftest/ must give the expected prediction.
// Exits 0 or 1 and says what differs.
#include <cstring>
#include <iomanip>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include "trainyard_engine.hpp"
#include "trainyard_png.hpp"

namespace {

using namespace trainyard;
using Polygon = std::vector<Point>;
using Faults = std::vector<std::string>;

// Beside the threshold scores may fall on either side.
constexpr double kMargin = 0.02;

std::string text(double value, int digits = 3) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(digits) << value;
  return out.str();
}

// A .npy file of little-endian float32.
Tensor read_npy(const std::string& path) {
  const Bytes bytes = read_bytes(path);
  if (bytes.size() < 12 || std::memcmp(bytes.data() + 1, "NUMPY", 5) != 0) throw BundleError(path + " is no .npy file");
  const bool longer = bytes[6] >= 2;
  const std::size_t start = longer ? 12 : 10;
  std::size_t length = bytes[8] + bytes[9] * 256;
  if (longer) length += bytes[10] * 65536;
  if (start + length > bytes.size()) throw BundleError(path + " is cut off");
  const std::string header(bytes.begin() + start, bytes.begin() + start + length);
  if (header.find("'<f4'") == std::string::npos) throw BundleError(path + " is not float32");
  std::stringstream shape(header.substr(header.find('(') + 1, header.find(')') - header.find('(') - 1));
  Tensor tensor;
  for (std::string part; std::getline(shape, part, ',');)
    if (part.find_first_not_of(' ') != std::string::npos) tensor.dims.push_back(std::stoll(part));
  std::vector<float> values((bytes.size() - start - length) / sizeof(float));
  std::memcpy(values.data(), bytes.data() + start + length, values.size() * sizeof(float));
  tensor.data.assign(values.begin(), values.end());
  return tensor;
}

// The input tensor against the trainer's: mean 0.5, largest 2 steps of an 8-bit picture.
void compare_input(const Tensor& got, const Tensor& wanted, const json& metadata, Faults& faults) {
  if (got.dims != wanted.dims || got.data.size() != wanted.data.size()) {
    faults.push_back("input tensor: another shape than expected");
    return;
  }
  double factor = 1, sum = 0, most = 0;
  Row deviation{1};
  bool nchw = false;
  for (const json& op : metadata.at("preprocess")) {
    if (op.at("op") == "rescale") factor *= op.at("factor").get<double>();
    if (op.at("op") == "normalize") deviation = op.at("std").get<Row>();
    if (op.at("op") == "transpose") nchw = op.at("layout") == "NCHW";
  }
  const std::size_t plane = nchw ? got.dims[2] * got.dims[3] : 1, channels = nchw ? got.dims[1] : got.dims[3];
  for (std::size_t i = 0; i < got.data.size(); ++i) {
    const double step = std::fabs(got.data[i] - wanted.data[i]) * deviation[i / plane % channels % deviation.size()] / factor;
    sum += step;
    most = std::max(most, step);
  }
  const double mean = sum / got.data.size();
  if (mean > 0.5 || most > 2)
    faults.push_back("input tensor: differs by " + text(mean) + " of 255 on average (allowed 0.5), at most " + text(most, 2) + " (allowed 2)");
}

void compare_pixels(const std::optional<IndexMask>& got, const Pixels& wanted, Faults& faults) {
  if (!got || got->width != wanted.width || got->height != wanted.height) {
    faults.push_back("mask: another size than expected");
    return;
  }
  double equal = 0;
  for (std::size_t i = 0; i < wanted.data.size(); ++i) equal += got->data[i] == wanted.data[i] ? 1 : 0;
  equal /= wanted.data.size();
  if (equal < 0.99) faults.push_back("mask: " + text(equal * 100, 2) + " % of the pixels are equal, expected 99 %");
}

void compare_classes(const json& expected, const json& got, Faults& faults) {
  std::map<int, double> scores;
  std::map<int, std::size_t> ranks;
  double least = 1;
  for (const json& entry : got) {
    ranks[entry["class"]] = scores.size();
    scores[entry["class"]] = entry["score"];
    least = std::min(least, entry["score"].get<double>());
  }
  for (const json& entry : expected) {
    const int label = entry["class"];
    const double score = entry["score"];
    if (scores.count(label) == 0) {
      // The last places of a short list may go to either of two equals.
      if (scores.empty() || score > least + 1e-3) faults.push_back("class " + std::to_string(label) + ": missing, expected with score " + text(score, 4));
    } else if (std::fabs(scores[label] - score) > 0.01) {
      faults.push_back("class " + std::to_string(label) + ": score " + text(scores[label], 4) + ", expected " + text(score, 4));
    }
  }
  for (std::size_t i = 1; i < expected.size(); ++i) {
    const int first = expected[i - 1]["class"], second = expected[i]["class"];
    if (ranks.count(first) == 0 || ranks.count(second) == 0 || ranks[first] < ranks[second]) continue;
    if (expected[i - 1]["score"].get<double>() - expected[i]["score"].get<double>() > 1e-3)
      faults.push_back("class " + std::to_string(second) + " comes before class " + std::to_string(first) + ", expected after it");
  }
}

double box_iou(const Row& a, const Row& b) {
  const auto side = [&](int k) { return std::max(0.0, std::min(a.at(k + 2), b.at(k + 2)) - std::max(a[k], b[k])); };
  const double shared = side(0) * side(1);
  const double both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared;
  return both > 0 ? shared / both : 1;
}

double area_of(const Polygon& points) {
  double sum = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Point &p = points[i], &q = points[(i + 1) % points.size()];
    sum += p[0] * q[1] - q[0] * p[1];
  }
  return sum / 2;
}

Polygon turning(Polygon points) {
  if (area_of(points) < 0) std::reverse(points.begin(), points.end());
  return points;
}

// Sutherland and Hodgman: a polygon cut by the edges of a convex one.
Polygon clipped(Polygon subject, const Polygon& clip) {
  for (std::size_t i = 0; i < clip.size(); ++i) {
    const Point &p = clip[i], &q = clip[(i + 1) % clip.size()];
    const auto inside = [&](const Point& s) { return (q[0] - p[0]) * (s[1] - p[1]) - (q[1] - p[1]) * (s[0] - p[0]); };
    Polygon result;
    for (std::size_t k = 0; k < subject.size(); ++k) {
      const Point &s = subject[k], &t = subject[(k + 1) % subject.size()];
      const double here = inside(s), next = inside(t);
      if (here >= 0) result.push_back(s);
      if ((here >= 0) == (next >= 0)) continue;
      const double part = here / (here - next);
      result.push_back({s[0] + (t[0] - s[0]) * part, s[1] + (t[1] - s[1]) * part});
    }
    subject = std::move(result);
  }
  return subject;
}

double rotated_iou(const json& one, const json& two) {
  const Polygon a = turning(one.get<Polygon>()), b = turning(two.get<Polygon>());
  const double shared = std::fabs(area_of(clipped(a, b)));
  const double both = area_of(a) + area_of(b) - shared;
  return both > 0 ? shared / both : 1;
}

// 0 and 1 for every pixel of the picture.
std::vector<std::uint8_t> pixels_of(const json& mask, int width, int height) {
  std::vector<std::uint8_t> data(static_cast<std::size_t>(width) * height);
  if (mask.contains("rle")) {
    std::size_t at = 0;
    bool on = false;
    for (const std::size_t run : mask["rle"]["counts"].get<std::vector<std::size_t>>()) {
      for (std::size_t k = at; on && k < at + run; ++k) data.at(k % height * width + k / height) = 1;
      at += run;
      on = !on;
    }
    return data;
  }
  for (const json& ring : mask.at("polygon")) {
    Polygon points;
    if (ring.at(0).is_array()) points = ring.get<Polygon>();
    else
      for (std::size_t i = 0; i + 1 < ring.size(); i += 2) points.push_back({ring[i].get<double>(), ring[i + 1].get<double>()});
    for (std::size_t i = 0; i < points.size(); ++i) {
      const auto [x0, y0] = points[i];
      const auto [x1, y1] = points[(i + 1) % points.size()];
      for (int row = 0; row < height; ++row) {
        const double y = row + 0.5;
        if ((y0 > y) == (y1 > y)) continue;
        const double crossing = (x1 - x0) * (y - y0) / (y1 - y0) + x0;
        for (int x = 0; x < width && x + 0.5 < crossing; ++x) data[static_cast<std::size_t>(row) * width + x] ^= 1;
      }
    }
  }
  return data;
}

struct Unlike {
  double far = 0;
  std::string why;
};

// Nothing when both are the same instance; else how far apart the boxes are and what differs.
std::optional<Unlike> unlike(const json& a, const json& b, int width, int height) {
  double overlap = 1, least = 0;
  if (a.contains("obb") && b.contains("obb")) {
    overlap = rotated_iou(a["obb"], b["obb"]);
    least = 0.9;
  } else if (a.contains("box") && b.contains("box")) {
    overlap = box_iou(a["box"], b["box"]);
    least = 0.95;
  }
  if (overlap < least) return Unlike{1 - overlap, "nearest overlaps by " + text(overlap) + ", needed " + text(least, 2)};
  if (std::fabs(a["score"].get<double>() - b["score"].get<double>()) > kMargin) return Unlike{0, "score " + text(b["score"])};
  if (a.contains("mask") && b.contains("mask")) {
    const auto one = pixels_of(a["mask"], width, height), two = pixels_of(b["mask"], width, height);
    double shared = 0, either = 0;
    for (std::size_t i = 0; i < one.size(); ++i) {
      shared += one[i] & two[i];
      either += one[i] | two[i];
    }
    if (either > 0 && shared / either < 0.9) return Unlike{0, "mask overlaps by " + text(shared / either) + ", needed 0.9"};
  }
  if (a.contains("keypoints") && b.contains("keypoints")) {
    const Row box = a.contains("box") ? a["box"].get<Row>() : Row{0, 0, 0, 0};
    const double allowed = std::max(1.0, 0.01 * std::max(box[2] - box[0], box[3] - box[1]));
    bool near = a["keypoints"].size() == b["keypoints"].size();
    for (std::size_t k = 0; near && k < a["keypoints"].size(); ++k)
      for (int axis = 0; axis < 2; ++axis)
        near = near && std::fabs(a["keypoints"][k][axis].get<double>() - b["keypoints"][k][axis].get<double>()) <= allowed;
    if (!near) return Unlike{0, "keypoints differ by more than " + text(allowed, 1) + " pixels"};
  }
  return std::nullopt;
}

// Each side's sure instances need a partner on the other side.
void compare_side(const std::string& side, const json& these, const json& others, double sure, const Prediction& size, Faults& faults) {
  std::set<std::size_t> taken;
  for (const json& item : these) {
    if (item["score"].get<double>() < sure) continue;
    bool found = false;
    Unlike nearest{2, "no other of this class"};
    for (std::size_t i = 0; i < others.size() && !found; ++i) {
      if (taken.count(i) > 0 || others[i]["class"] != item["class"]) continue;
      const auto verdict = unlike(item, others[i], size.width, size.height);
      if (!verdict) {
        taken.insert(i);
        found = true;
      } else if (verdict->far < nearest.far) {
        nearest = *verdict;
      }
    }
    if (found) continue;
    const std::string place = item.contains("box") ? item["box"].dump() : item.value("obb", json()).dump();
    faults.push_back("instance of class " + item["class"].dump() + ", score " + text(item["score"]) + ", at " + place + ": " + side + " (" + nearest.why + ")");
  }
}

Faults check(const std::string& bundle) {
  Faults faults;
  const json metadata = read_json(bundle + "/metadata.json"), expected = read_json(bundle + "/selftest/expected.json");
  const Pixels picture = read_png(bundle + "/selftest/input.png");
  ModelEngine engine(bundle + "/" + model_file(metadata), metadata);
  Predictor predictor(metadata, engine);
  const Picture rgb{picture.data.data(), picture.width, picture.height};
  if (std::ifstream(bundle + "/selftest/input.npy")) compare_input(predictor.preprocess(rgb), read_npy(bundle + "/selftest/input.npy"), metadata, faults);
  const Prediction got = predictor.predict(rgb);
  const json line = to_json(got);
  if (expected.contains("mask")) {
    const std::string path = expected["mask"];
    const bool outer = static_cast<bool>(std::ifstream(bundle + "/" + path));
    compare_pixels(got.mask, read_png(bundle + (outer ? "/" : "/selftest/") + path, true), faults);
  }
  if (expected.contains("classes")) compare_classes(expected["classes"], line.value("classes", json::array()), faults);
  if (expected.contains("instances")) {
    double sure = 0;
    for (const json& op : metadata.at("postprocess"))
      if (op.at("op") == "threshold") sure = std::max(sure, op.at("score").get<double>());
    const json found = line.value("instances", json::array());
    compare_side("missing", expected["instances"], found, sure + kMargin, got, faults);
    compare_side("not expected", found, expected["instances"], sure + kMargin, got, faults);
  }
  return faults;
}

}  // namespace

int main(int count, char** values) {
  try {
    const Faults faults = check(count > 1 ? values[1] : ".");
    for (const std::string& fault : faults) std::cerr << fault << "\n";
    std::cout << (faults.empty() ? "Self-test passed: the bundle predicts what it promises." : "Self-test failed.") << " (" << engine_name() << ")\n";
    return faults.empty() ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "Self-test could not run: " << error.what() << "\n";
    return 1;
  }
}
