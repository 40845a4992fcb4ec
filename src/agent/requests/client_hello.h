// What a TLS ClientHello says in the clear (RFC 8446, 4.1.2; RFC 6066, 3; RFC 7301). Any bytes give an answer; nothing
// is read beyond the end.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weir::agent::requests {

struct ClientHello {
  std::string server_name;  // lower case; "" = none, or one that is no host name
  std::string protocol;     // first of the offered application protocols (ALPN): "h2", "http/1.1"; "" = none
};

// `text` begins with the TLS record header and may be cut. nullopt: no ClientHello, or its lengths lie.
std::optional<ClientHello> ParseClientHello(std::string_view text);

}  // namespace weir::agent::requests
