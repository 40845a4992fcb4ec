// HeaderDecoder: what the header blocks of one direction of an HTTP/2 connection say (HPACK, RFC 7541), as far as a
// request is named by it. A block depends on all blocks before it: one that is missing makes every later one
// meaningless, so the caller gives all of them from the connection's first, in order, or stops asking.
//
// Bounded: a dynamic table of at most kMaxTableBytes; a peer that uses a larger one is not decoded. Thread: one at a
// time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct nghttp2_hd_inflater;

namespace weir::agent::requests {

struct HeaderFields {
  std::string method;  // "" = none; so are the others
  std::string path;
  int status = 0;           // 100 .. 999; 0 = none
  bool has_length = false;  // a content-length
  bool is_grpc = false;     // a content-type of gRPC's
  int grpc_status = -1;     // -1 = none
};

class HeaderDecoder {
 public:
  static constexpr size_t kMaxTableBytes = 16'384;  // four times what both ends begin with (RFC 9113, 6.5.2)

  // nullptr: no memory.
  static std::unique_ptr<HeaderDecoder> Create();

  // One whole block, without padding and priority. nullopt: it makes no sense, and no later one will.
  std::optional<HeaderFields> Decode(std::string_view block);

 private:
  struct Free {
    void operator()(nghttp2_hd_inflater* inflater) const;
  };
  using Inflater = std::unique_ptr<nghttp2_hd_inflater, Free>;

  explicit HeaderDecoder(Inflater inflater) : inflater_(std::move(inflater)) {}

  Inflater inflater_;
};

}  // namespace weir::agent::requests
