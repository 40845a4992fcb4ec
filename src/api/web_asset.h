// A file of the built web UI, compiled in (cmake/EmbedWeb.cmake, tools/embed.py).
#pragma once

#include <span>
#include <string_view>

namespace weir::api {

struct WebAsset {
  std::string_view path;  // "/index.html", "/assets/index-Dk3.js"
  std::string_view content_type;
  std::string_view etag;  // with its quotes
  std::string_view content;
};

// Empty when the UI had not been built.
std::span<const WebAsset> WebAssets();

}  // namespace weir::api
