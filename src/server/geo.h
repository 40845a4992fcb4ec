// Geo: country and organisation of public addresses, from MaxMind databases of the user's own (GeoLite2 City, Country
// and ASN, or any of their format). The one file that talks to libmaxminddb.
//
// Immutable once opened; look-ups from any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "model/address.h"

namespace weir::server {

struct GeoName {
  std::string country;       // ISO 3166 code
  std::string organization;  // "AS15169 Google LLC"
};

struct GeoFile {
  std::string path;
  std::string kind;      // as the database calls itself: "GeoLite2-ASN"
  int64_t built_ms = 0;  // Unix milliseconds
  size_t entries = 0;    // nodes of its tree
};

class Geo {
 public:
  // `files`: paths joined by commas. kNotFound, kDenied, kInvalid: with the path.
  static Result<std::unique_ptr<Geo>> Open(std::string_view files);
  ~Geo();
  Geo(const Geo&) = delete;
  Geo& operator=(const Geo&) = delete;

  GeoName Find(const model::Address& address) const;
  const std::vector<GeoFile>& files() const { return files_; }

 private:
  struct Database;
  Geo() = default;

  std::vector<std::unique_ptr<Database>> databases_;
  std::vector<GeoFile> files_;
};

}  // namespace weir::server
