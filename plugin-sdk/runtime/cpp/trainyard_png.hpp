// Reads and writes PNG files of 8 bits a channel, not interlaced, with zlib: enough for the programs beside the header.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <zlib.h>

#include "trainyard_predict.hpp"

namespace trainyard {

struct Pixels {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> data;
};

using Bytes = std::vector<std::uint8_t>;

inline Bytes read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw BundleError(path + " cannot be read");
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

inline std::uint32_t big_endian(const Bytes& bytes, std::size_t at) {
  if (at + 4 > bytes.size()) throw BundleError("the PNG file is cut off");
  return static_cast<std::uint32_t>(bytes[at]) << 24 | bytes[at + 1] << 16 | bytes[at + 2] << 8 | bytes[at + 3];
}

inline int paeth(int left, int up, int corner) {
  const int a = std::abs(up - corner), b = std::abs(left - corner), c = std::abs(left + up - 2 * corner);
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

// As RGB, or with `indices` the plain index or grey value of every pixel.
inline Pixels read_png(const std::string& path, bool indices = false) {
  const Bytes bytes = read_bytes(path);
  if (bytes.size() < 33 || bytes[1] != 'P' || bytes[2] != 'N' || bytes[3] != 'G') throw BundleError(path + " is not a PNG file");
  const std::uint32_t width = big_endian(bytes, 16), height = big_endian(bytes, 20);
  const int type = bytes[25], channels = type == 2 ? 3 : type == 4 ? 2 : type == 6 ? 4 : 1;
  if (bytes[24] != 8 || bytes[28] != 0 || width < 1 || height < 1 || width > 65535 || height > 65535)
    throw BundleError(path + ": only PNG of 8 bits a channel, not interlaced, is read here");
  Bytes packed, palette;
  for (std::size_t at = 8; at + 12 <= bytes.size();) {
    const std::size_t length = big_endian(bytes, at);
    const std::string name(bytes.begin() + at + 4, bytes.begin() + at + 8);
    if (at + 12 + length > bytes.size()) throw BundleError(path + " is cut off");
    const auto first = bytes.begin() + at + 8;
    if (name == "IDAT") packed.insert(packed.end(), first, first + length);
    if (name == "PLTE") palette.assign(first, first + length);
    at += length + 12;
  }
  const std::size_t line = static_cast<std::size_t>(width) * channels;
  Bytes raw((line + 1) * height);
  uLongf size = raw.size();
  if (uncompress(raw.data(), &size, packed.data(), packed.size()) != Z_OK || size != raw.size()) throw BundleError(path + " is damaged");
  Bytes rows(line * height);
  for (std::size_t y = 0; y < height; ++y) {
    const int filter = raw[y * (line + 1)];
    for (std::size_t i = 0; i < line; ++i) {
      const bool inner = i >= static_cast<std::size_t>(channels);
      const int left = inner ? rows[y * line + i - channels] : 0, up = y > 0 ? rows[(y - 1) * line + i] : 0;
      const int corner = inner && y > 0 ? rows[(y - 1) * line + i - channels] : 0;
      const int guess = filter == 1 ? left : filter == 2 ? up : filter == 3 ? (left + up) / 2 : filter == 4 ? paeth(left, up, corner) : 0;
      rows[y * line + i] = static_cast<std::uint8_t>(raw[y * (line + 1) + 1 + i] + guess);
    }
  }
  Pixels pixels{static_cast<int>(width), static_cast<int>(height), {}};
  for (std::size_t i = 0; i < static_cast<std::size_t>(width) * height; ++i) {
    if (indices) {
      pixels.data.push_back(rows[i * channels]);
      continue;
    }
    for (std::size_t c = 0; c < 3; ++c)
      pixels.data.push_back(type == 3 ? palette.at(rows[i] * 3 + c) : rows[i * channels + (channels >= 3 ? c : 0)]);
  }
  return pixels;
}

// One grey byte a pixel.
inline void write_png(const std::string& path, const IndexMask& mask) {
  Bytes raw;
  for (int y = 0; y < mask.height; ++y) {
    raw.push_back(0);
    const auto first = mask.data.begin() + static_cast<std::ptrdiff_t>(y) * mask.width;
    raw.insert(raw.end(), first, first + mask.width);
  }
  uLongf size = compressBound(raw.size());
  Bytes packed(size);
  if (compress(packed.data(), &size, raw.data(), raw.size()) != Z_OK) throw BundleError(path + " cannot be written");
  packed.resize(size);
  const auto number = [](Bytes& out, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
  };
  Bytes file{137, 'P', 'N', 'G', 13, 10, 26, 10};
  const auto chunk = [&](const std::string& name, const Bytes& body) {
    number(file, static_cast<std::uint32_t>(body.size()));
    const std::size_t start = file.size();
    file.insert(file.end(), name.begin(), name.end());
    file.insert(file.end(), body.begin(), body.end());
    number(file, static_cast<std::uint32_t>(crc32(0, &file[start], static_cast<uInt>(file.size() - start))));
  };
  Bytes head;
  number(head, static_cast<std::uint32_t>(mask.width));
  number(head, static_cast<std::uint32_t>(mask.height));
  head.insert(head.end(), {8, 0, 0, 0, 0});
  chunk("IHDR", head);
  chunk("IDAT", packed);
  chunk("IEND", {});
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
  if (!out) throw BundleError(path + " cannot be written");
}

}  // namespace trainyard
