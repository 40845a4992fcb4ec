#include "agent/requests/header_decoder.h"

#include <nghttp2/nghttp2.h>

#include <charconv>
#include <utility>

#include "agent/requests/grpc_status.h"

namespace weir::agent::requests {
namespace {

constexpr size_t kLongestMethod = 16;

std::string_view TextOf(const uint8_t* text, size_t size) { return {reinterpret_cast<const char*>(text), size}; }

bool IsMethod(std::string_view text) {
  for (const char c : text) {
    if ((c < 'A' || c > 'Z') && c != '-' && c != '_') return false;
  }
  return !text.empty() && text.size() <= kLongestMethod;
}

// Of a field that comes twice the first counts; a request with two is malformed (RFC 9113, 8.3).
void Take(std::string_view name, std::string_view value, HeaderFields& to) {
  if (name == ":method" && to.method.empty() && IsMethod(value)) {
    to.method = value;
  } else if (name == ":path" && to.path.empty()) {
    to.path = value;
  } else if (name == ":status" && to.status == 0) {
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), to.status);
    const bool read = error == std::errc() && end == value.data() + value.size();
    if (!read || to.status < 100 || to.status > 999) to.status = 0;
  } else if (name == "content-length") {
    to.has_length = true;
  } else if (name == "content-type") {
    to.is_grpc |= IsGrpcType(value);
  } else if (name == "grpc-status" && to.grpc_status < 0) {
    to.grpc_status = ParseGrpcStatus(value);
  }
}

}  // namespace

void HeaderDecoder::Free::operator()(nghttp2_hd_inflater* inflater) const { nghttp2_hd_inflate_del(inflater); }

std::unique_ptr<HeaderDecoder> HeaderDecoder::Create() {
  nghttp2_hd_inflater* raw = nullptr;
  if (nghttp2_hd_inflate_new(&raw) != 0) return nullptr;
  Inflater inflater(raw);
  // The most a peer may ask for. The table begins as small as for everybody and grows when a block says so, whatever
  // settings the ends have exchanged.
  if (nghttp2_hd_inflate_change_table_size(raw, kMaxTableBytes) != 0) return nullptr;
  return std::unique_ptr<HeaderDecoder>(new HeaderDecoder(std::move(inflater)));
}

std::optional<HeaderFields> HeaderDecoder::Decode(std::string_view block) {
  if (inflater_ == nullptr) return std::nullopt;
  HeaderFields fields;
  const auto* at = reinterpret_cast<const uint8_t*>(block.data());
  size_t left = block.size();
  for (;;) {
    nghttp2_nv field{};
    int flags = 0;
    const ssize_t used = nghttp2_hd_inflate_hd2(inflater_.get(), &field, &flags, at, left, /*in_final=*/1);
    if (used < 0) {
      inflater_.reset();
      return std::nullopt;
    }
    at += used;
    left -= static_cast<size_t>(used);
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
      Take(TextOf(field.name, field.namelen), TextOf(field.value, field.valuelen), fields);
    }
    if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && left == 0) break;
  }
  nghttp2_hd_inflate_end_headers(inflater_.get());
  return fields;
}

}  // namespace weir::agent::requests
