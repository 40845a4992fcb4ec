// OutsideNames: what an address outside of all clusters and machines is called, and how that is known. In the order of
// trust: what the client asked for in its TLS handshake, the DNS answer this very client received, published address
// ranges and labels of the user, GeoIP.
//
// Pure but for the data it was built with. Thread: one at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "model/address.h"
#include "server/geo.h"
#include "server/known_services.h"
#include "server/prefixes.h"
#include "server/resolved_names.h"

namespace weir::server {

struct OutsideName {
  std::string name;           // of the end: "models.s3.us-east-1.amazonaws.com", "Amazon S3", "office", "Example AS"
  std::string service;        // product: "Amazon S3"; "" = none that is known
  std::string service_class;  // "object_store"; "" = none
  std::string region;
  std::string_view source;  // sni, dns, prefix, label, geo; "" = nothing is known
  bool by_name = false;     // the client asked for it by that name: other clients may know the address by another

  bool empty() const { return source.empty() && service_class.empty(); }
};

class OutsideNames {
 public:
  // Both may be null.
  OutsideNames(std::shared_ptr<const Prefixes> prefixes, std::shared_ptr<const Geo> geo)
      : prefixes_(std::move(prefixes)), geo_(std::move(geo)) {}

  ResolvedNames& resolved() { return resolved_; }
  // Those of flows to come; may be null.
  void SetPrefixes(std::shared_ptr<const Prefixes> prefixes) { prefixes_ = std::move(prefixes); }
  const Prefixes* prefixes() const { return prefixes_.get(); }

  // `asker`: of the client (AskerOf), 0 = unknown. `server_name`: its TLS server name, "" = not seen.
  OutsideName Of(const model::Address& address, uint16_t port, uint64_t asker, std::string_view server_name,
                 UnixMillis start, UnixMillis end) const;
  // The name the client last asked for that led to this address, "" when it is not known.
  std::string AskedFor(uint64_t asker, const model::Address& address, UnixMillis start, UnixMillis end) const;

 private:
  static void AddService(std::string_view name, OutsideName& out);
  void AddPrefix(const model::Address& address, OutsideName& out) const;

  std::shared_ptr<const Prefixes> prefixes_;
  const std::shared_ptr<const Geo> geo_;
  ResolvedNames resolved_;
};

}  // namespace weir::server
