#include "agent/requests/client_hello.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace weir::agent::requests {
namespace {

constexpr uint32_t kHandshakeRecord = 22;
constexpr uint32_t kClientHello = 1;
constexpr uint32_t kServerNameExtension = 0;
constexpr uint32_t kProtocolsExtension = 16;
constexpr uint32_t kHostName = 0;
constexpr size_t kRandomBytes = 32;
constexpr size_t kLongestHostName = 253;  // RFC 1035, 2.3.4, without the length octets

// Reads big-endian lengths and what they announce; once something does not fit, everything is empty.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  uint32_t Number(size_t bytes) {
    if (text_.size() < bytes) return Fail();
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; ++i) value = value << 8 | static_cast<uint8_t>(text_[i]);
    text_.remove_prefix(bytes);
    return value;
  }
  std::string_view Bytes(size_t bytes) {
    if (text_.size() < bytes) return Fail(), std::string_view();
    const std::string_view out = text_.substr(0, bytes);
    text_.remove_prefix(bytes);
    return out;
  }
  // At most what there is: the copied text may end before the message does.
  std::string_view Take(size_t bytes) { return Bytes(std::min(bytes, text_.size())); }
  Reader Within(size_t bytes) { return Reader(Take(bytes)); }
  std::string_view Sized(size_t length_bytes) { return Bytes(Number(length_bytes)); }

  bool failed() const { return failed_; }
  bool empty() const { return text_.empty(); }
  size_t size() const { return text_.size(); }

 private:
  uint32_t Fail() {
    failed_ = true;
    text_ = {};
    return 0;
  }

  std::string_view text_;
  bool failed_ = false;
};

bool IsHostByte(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'; }

std::string HostName(std::string_view text) {
  if (text.empty() || text.size() > kLongestHostName) return "";
  std::string name(text);
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return std::all_of(name.begin(), name.end(), IsHostByte) ? name : "";
}

void TakeServerName(Reader extension, ClientHello& to) {
  Reader names(extension.Sized(2));
  while (!names.empty()) {
    const uint32_t type = names.Number(1);
    const std::string_view name = names.Sized(2);
    if (names.failed()) return;
    if (type == kHostName) {
      to.server_name = HostName(name);
      return;
    }
  }
}

// Two equal bytes of the form 0x?A (RFC 8701, 3): sent so that servers do not come to rely on a fixed list.
bool IsGrease(std::string_view protocol) {
  return protocol.size() == 2 && protocol[0] == protocol[1] && (static_cast<uint8_t>(protocol[0]) & 0x0f) == 0x0a;
}

void AppendProtocol(std::string_view protocol, std::string& to) {
  for (const char c : protocol) {
    const bool plain = c > ' ' && c < 0x7f && c != ',' && c != '\\';
    if (plain) {
      to += c;
    } else {
      to += fmt::format("\\{:03}", static_cast<uint8_t>(c));
    }
  }
}

void TakeProtocols(Reader extension, ClientHello& to) {
  constexpr std::string_view kMore = "...";
  if (!to.alpn.empty()) return;  // the first of two
  Reader protocols(extension.Sized(2));
  to.lies |= extension.failed() || !extension.empty();
  if (to.lies) return;
  std::string list;
  bool full = false;
  while (!protocols.empty()) {
    const std::string_view protocol = protocols.Sized(1);
    to.lies |= protocols.failed() || protocol.empty();
    if (to.lies) return;
    if (protocol == "h2") to.offers_http2 = true;
    if (IsGrease(protocol) || full) continue;
    if (!list.empty()) list += ',';
    const size_t name_at = list.size();
    AppendProtocol(protocol, list);
    full = list.size() + kMore.size() + 1 > kLongestAlpn;
    if (full) list.replace(name_at, std::string::npos, kMore);
  }
  to.alpn = std::move(list);
}

// The handshake message in the records of `text`; `joined` keeps it where it is spread over several.
Reader Handshake(std::string_view text, std::string& joined) {
  constexpr size_t kMessageHead = 4;
  Reader records(text);
  std::string_view first;
  for (bool is_first = true; !records.empty(); is_first = false) {
    const uint32_t type = records.Number(1);
    const uint32_t major = records.Number(1);
    (void)records.Number(1);
    const uint32_t length = records.Number(2);
    if (records.failed() || type != kHandshakeRecord || major != 3) break;
    const std::string_view payload = records.Take(length);
    if (is_first) {
      first = payload;
      Reader message(payload);
      (void)message.Number(1);
      if (payload.size() >= kMessageHead && message.Number(3) <= payload.size() - kMessageHead) break;
    } else {
      if (joined.empty()) joined = first;
      joined += payload;
    }
  }
  return Reader(joined.empty() ? first : std::string_view(joined));
}

}  // namespace

std::optional<ClientHello> ParseClientHello(std::string_view text) {
  std::string joined;
  Reader handshake = Handshake(text, joined);
  if (handshake.Number(1) != kClientHello) return std::nullopt;
  const uint32_t length = handshake.Number(3);
  ClientHello out;
  out.is_whole = !handshake.failed() && handshake.size() >= length;
  Reader hello = handshake.Within(length);
  (void)hello.Number(2);  // legacy version
  (void)hello.Bytes(kRandomBytes);
  (void)hello.Sized(1);  // session id
  (void)hello.Sized(2);  // cipher suites
  (void)hello.Sized(1);  // compression methods
  if (hello.failed()) return std::nullopt;
  if (hello.empty()) return out;  // no extensions
  Reader extensions = hello.Within(hello.Number(2));
  while (!extensions.empty()) {
    const uint32_t type = extensions.Number(2);
    const std::string_view body = extensions.Sized(2);
    if (extensions.failed()) {  // cut, or a length that lies: what came before still holds
      out.lies |= out.is_whole;
      break;
    }
    if (type == kServerNameExtension) TakeServerName(Reader(body), out);
    if (type == kProtocolsExtension) TakeProtocols(Reader(body), out);
  }
  return out;
}

}  // namespace weir::agent::requests
