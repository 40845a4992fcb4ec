// What a TLS ClientHello says in the clear (RFC 8446, 4.1.2; RFC 6066, 3; RFC 7301). Any bytes give an answer; nothing
// is read beyond the end.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weir::agent::requests {

struct ClientHello {
  std::string server_name;  // lower case; "" = none, or one that is no host name
  // The offered application protocols in the client's order, joined by commas: "h2,http/1.1"; "" = none, or a list
  // whose lengths lie. Names are any bytes (RFC 7301, 3.1): what is not printable ASCII, comma and backslash become
  // \DDD. Reserved values that mean nothing (GREASE, RFC 8701, 3) are left out. At most kLongestAlpn bytes: names that
  // do not fit any more are "...".
  std::string alpn;
  bool offers_http2 = false;  // "h2" is among them, however long the list
  bool is_whole = false;      // all of the message was there
  bool lies = false;          // a length among its extensions does: what was read may not be all it says
};

inline constexpr size_t kLongestAlpn = 128;

// `text` begins with the TLS record header and may be cut; the message may be spread over several records (RFC 8446,
// 5.1). nullopt: no ClientHello, or its lengths lie.
std::optional<ClientHello> ParseClientHello(std::string_view text);

}  // namespace weir::agent::requests
