// Which handler answers a method and path.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "net/http_server.h"

namespace weir::net {

struct HttpRoute {
  std::string method;
  std::string path;  // exact, or a prefix when it ends in "/*"
  HttpHandler handler;
  size_t max_body_bytes = 0;
  size_t pool = 0;  // whose workers run the handler
};

class RouteTable {
 public:
  void Add(HttpRoute route) { routes_.push_back(std::move(route)); }

  struct Match {
    const HttpRoute* route = nullptr;  // borrowed from the table
    std::string allowed;               // methods of the best matching path, for 405; "" = no such path
  };
  // An exact path wins over a prefix, a longer prefix over a shorter one. HEAD is answered by GET's handler.
  Match Find(std::string_view method, std::string_view path) const;

 private:
  std::vector<HttpRoute> routes_;
};

}  // namespace weir::net
