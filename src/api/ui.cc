#include "api/ui.h"

#include <algorithm>

#include "net/http_error.h"

namespace weir::api {
namespace {

constexpr const char* kPageWithoutUi = R"(<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Weir</title></head>
<body>
<h1>Weir is running, but its web UI was not built in</h1>
<p>Run <code>./dev ui</code> in a checkout for the UI with hot reload, or <code>./dev build</code> to build it into the program.</p>
<p>Meanwhile: <a href="/api/v1/status">status</a>, <a href="/api/v1/map">map</a>, <a href="/api/v1/flows?limit=100">flows</a>,
<a href="/api/v1/openapi.json">the API's description</a>, and in a terminal <code>weir map</code>, <code>weir flows</code>,
<code>weir status</code>.</p>
</body>
</html>
)";

void AddPageHeaders(net::HttpResponse& response) {
  // The build inlines nothing, so that nothing but our own files need be allowed.
  response.headers["Content-Security-Policy"] =
      "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
  response.headers["X-Content-Type-Options"] = "nosniff";
  response.headers["Referrer-Policy"] = "no-referrer";
  response.headers["X-Frame-Options"] = "DENY";
}

const WebAsset* FindAsset(std::span<const WebAsset> assets, std::string_view path) {
  const auto found =
      std::find_if(assets.begin(), assets.end(), [&](const WebAsset& asset) { return asset.path == path; });
  return found == assets.end() ? nullptr : &*found;
}

// "/map", "/flows/x": a path of the UI, not a file that is missing.
bool IsUiPath(std::string_view path) {
  const std::string_view last = path.substr(path.rfind('/') + 1);
  return last.find('.') == std::string_view::npos && !path.starts_with("/assets/");
}

bool ListsTag(const net::HttpRequest& request, std::string_view etag) {
  const auto found = request.headers.find("if-none-match");
  // Weak comparison (RFC 9110, 13.1.2): a listed W/"x" contains "x".
  return found != request.headers.end() && (found->second == "*" || found->second.find(etag) != std::string::npos);
}

}  // namespace

net::HttpResponse UiAnswer(const net::HttpRequest& request, std::span<const WebAsset> assets) {
  if (request.path == "/api" || request.path.starts_with("/api/")) {
    return net::ErrorResponse({.status = 404,
                               .code = "not_found",
                               .message = "no such path",
                               .remedy = "GET /api/v1/openapi.json lists the API"});
  }
  net::HttpResponse response;
  AddPageHeaders(response);
  const WebAsset* asset = FindAsset(assets, request.path);
  if (asset == nullptr && IsUiPath(request.path)) {
    asset = FindAsset(assets, "/index.html");
    if (asset == nullptr) {
      response.content_type = "text/html; charset=utf-8";
      response.headers["Cache-Control"] = "no-store";
      response.body = kPageWithoutUi;
      return response;
    }
  }
  if (asset == nullptr) {
    return net::ErrorResponse(
        {.status = 404, .code = "not_found", .message = "no such file", .remedy = "the UI starts at /"});
  }
  response.content_type = asset->content_type;
  response.headers["ETag"] = asset->etag;
  // Vite puts a hash of the content into every name under assets/.
  response.headers["Cache-Control"] =
      asset->path.starts_with("/assets/") ? "public, max-age=31536000, immutable" : "no-cache";
  if (ListsTag(request, asset->etag)) {
    response.status = 304;
  } else {
    response.body = asset->content;
  }
  return response;
}

}  // namespace weir::api
