// Decodes answers of an API server: pages of a list, events of a watch, and the reason of a refusal. Everything is
// bounded: an object beyond a bound is refused and counted, what it has too many of is cut and counted.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "kube/objects.h"
#include "kube/resources.h"

namespace weir::kube {

inline constexpr size_t kMaxObjectBytes = size_t{4} << 20;  // etcd takes 1.5 MiB
inline constexpr size_t kMaxNameBytes = 253;                // RFC 1123 subdomain, as for every Kubernetes name
inline constexpr size_t kMaxLabelBytes = 63;                // of a value; the API server allows no more
inline constexpr size_t kMaxLabelKeyBytes = 317;            // DNS prefix, slash, name
inline constexpr size_t kMaxTextBytes = 512;                // images, reasons
inline constexpr size_t kMaxLabels = 64;
inline constexpr size_t kMaxContainers = 128;
inline constexpr size_t kMaxAddresses = 64;
inline constexpr size_t kMaxPorts = 256;
inline constexpr size_t kMaxEndpoints = 1'000;  // per slice; the API server allows no more

struct ListPage {
  std::string resource_version;
  std::string continue_token;  // "" = the last page
  uint64_t refused = 0;        // objects that were left out
};

// A `Status` object, which says why something was refused.
struct Refusal {
  int code = 0;  // as of HTTP
  std::string reason;
  std::string message;
};

enum class EventType : uint8_t { kAdded, kModified, kDeleted, kBookmark, kError };

struct Event {
  EventType type = EventType::kBookmark;
  std::string resource_version;  // to go on from
  Object object;                 // of an added, modified or deleted one
  Refusal refusal;               // of an error
};

// Not thread-safe; keeps memory for the largest text so far.
class Decoder {
 public:
  explicit Decoder(Resource resource);
  ~Decoder();
  Decoder(Decoder&&) noexcept;

  // Calls `each` for every object of the page. kCorrupt: no JSON, or no list; some objects may have been told by then.
  // `body` may grow by padding.
  Result<ListPage> DecodeList(std::string& body, const std::function<void(Object&&)>& each);
  // kCorrupt: no JSON, or no event: the stream cannot be trusted. kInvalid: an object that is refused, or a type of
  // event that is not known: go on.
  Result<Event> DecodeEvent(std::string& line);
  // What can be told of it; an empty one when the text is something else.
  Refusal DecodeRefusal(std::string& body);

 private:
  struct Parsers;
  Event ReadEvent(EventType type, std::string_view text);  // throws

  std::unique_ptr<Parsers> parsers_;
  const Resource resource_;
};

// The versions of an API group that are served, in its order: an APIGroup object. kCorrupt when it is none.
Result<std::vector<std::string>> DecodeGroupVersions(std::string& body);

}  // namespace weir::kube
