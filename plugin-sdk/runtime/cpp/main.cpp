// trainyard_predict [--bundle DIR] IMAGE.png...   prints one line of JSON for each image.
#include <iostream>

#include "trainyard_engine.hpp"
#include "trainyard_png.hpp"

int main(int count, char** values) {
  using namespace trainyard;
  std::string bundle = ".";
  std::vector<std::string> images;
  for (int i = 1; i < count; ++i) {
    const std::string value = values[i];
    if (value == "--bundle" && i + 1 < count) bundle = values[++i];
    else images.push_back(value);
  }
  if (images.empty()) {
    std::cerr << "usage: trainyard_predict [--bundle DIR] IMAGE.png...\n";
    return 2;
  }
  try {
    const json metadata = read_json(bundle + "/metadata.json");
    ModelEngine engine(bundle + "/" + model_file(metadata), metadata);
    Predictor predictor(metadata, engine);
    for (std::size_t i = 0; i < images.size(); ++i) {
      const Pixels picture = read_png(images[i]);
      const Prediction line = predictor.predict({picture.data.data(), picture.width, picture.height});
      const std::string mask = "mask-" + std::to_string(i + 1) + ".png";
      if (line.mask) write_png(mask, *line.mask);
      json text = to_json(line, mask);
      text["image"] = images[i];
      std::cout << text.dump() << "\n";
    }
  } catch (const std::exception& error) {
    std::cerr << "trainyard_predict: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
