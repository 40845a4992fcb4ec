// The embedded web UI: static files, and index.html for the UI's own paths.
#pragma once

#include <span>

#include "api/web_asset.h"
#include "net/http_server.h"

namespace weir::api {

// Answers GET of any path outside the API. `assets` may be empty: then a page says how to build the UI.
net::HttpResponse UiAnswer(const net::HttpRequest& request, std::span<const WebAsset> assets);

}  // namespace weir::api
