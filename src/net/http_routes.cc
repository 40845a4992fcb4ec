#include "net/http_routes.h"

namespace weir::net {
namespace {

// How well `pattern` fits: 0 = not at all; exact beats every prefix.
size_t Fit(std::string_view pattern, std::string_view path) {
  if (pattern == path) return path.size() + 2;
  if (!pattern.ends_with("/*")) return 0;
  pattern.remove_suffix(1);
  return path.starts_with(pattern) ? pattern.size() : 0;
}

}  // namespace

RouteTable::Match RouteTable::Find(std::string_view method, std::string_view path) const {
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  size_t best = 0;
  Match match;
  for (const HttpRoute& route : routes_) {
    const size_t fit = Fit(route.path, path);
    if (fit == 0 || fit < best) continue;
    if (fit > best) match = {};
    best = fit;
    if (route.method == wanted) match.route = &route;
    match.allowed += (match.allowed.empty() ? "" : ", ") + route.method + (route.method == "GET" ? ", HEAD" : "");
  }
  return match;
}

}  // namespace weir::net
