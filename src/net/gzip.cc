#include "net/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace weir::net {
namespace {

constexpr int kGzipWindow = 15 + 16;  // zlib's largest, with gzip's header
constexpr int kMemoryLevel = 8;       // zlib's default

Bytef* BytesOf(std::string_view text) { return reinterpret_cast<Bytef*>(const_cast<char*>(text.data())); }

std::string Squeezed(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ' && c != '\t') out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

}  // namespace

std::string Gzip(std::string_view text) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, kMemoryLevel, Z_DEFAULT_STRATEGY) != Z_OK) return "";
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = BytesOf(text);
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = BytesOf(out);
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);  // deflateBound() has made room for all of it
  out.resize(stream.total_out);
  deflateEnd(&stream);
  out.shrink_to_fit();
  return out;
}

Result<std::string> Gunzip(std::string_view packed, size_t limit) {
  z_stream stream{};
  if (inflateInit2(&stream, kGzipWindow) != Z_OK) return Status::Internal("zlib cannot start");
  stream.next_in = BytesOf(packed);
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string out;
  std::array<char, 16'384> part;
  int state = Z_OK;
  while (state == Z_OK && out.size() <= limit) {
    stream.next_out = reinterpret_cast<Bytef*>(part.data());
    stream.avail_out = part.size();
    state = inflate(&stream, Z_NO_FLUSH);
    out.append(part.data(), part.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (out.size() > limit) return Status(Code::kExhausted, "the unpacked text is too long");
  if (state != Z_STREAM_END) return Status(Code::kCorrupt, "this is not gzip, or not all of it");
  return out;
}

bool AcceptsGzip(std::string_view accept_encoding) {
  const std::string text = Squeezed(accept_encoding);
  std::string_view rest = text;
  bool any = false;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(','), rest.size());
    const std::string_view item = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::string_view coding = item.substr(0, item.find(';'));
    const size_t quality = item.find(";q=");
    const bool refused =
        quality != std::string_view::npos && item.substr(quality + 3).find_first_not_of("0.") == std::string_view::npos;
    if (coding == "gzip" || coding == "x-gzip") return !refused;
    if (coding == "*") any = !refused;
  }
  return any;
}

}  // namespace weir::net
