#include "agent/recording/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "bpf/abi.h"
#include "bpf/requests_abi.h"
#include "bpf/udp_abi.h"

namespace weir::agent::recording {
namespace {

// Every field of every struct that is recorded. A struct that grows does not compile until its new field stands here.
// clang-format off
#define WEIR_FIELDS_OF_weir_record(X) \
  X(time_ns) X(socket) X(cgroup_id) X(start_ns) X(established_ns) X(bytes_sent) X(bytes_retransmitted) \
  X(bytes_received) X(netns) X(local_address) X(remote_address) X(local_port) X(remote_port) X(kind) X(family) \
  X(state) X(ca_state) X(flags) X(pid) X(error) X(soft_error) X(segs_in) X(segs_out) X(total_retrans) \
  X(syn_retrans) X(timeouts) X(srtt_us) X(min_rtt_us) X(delivered) X(packets_out) X(backlog) X(max_backlog) \
  X(drops) X(retrans_rto) X(retrans_probe) X(dsack_dups) X(delivered_ce) X(busy_jiffies) X(window_jiffies) \
  X(buffer_jiffies) X(rate_delivered) X(rate_interval_us) X(mss) X(out_of_order) X(unread) X(late_segments) X(gaps) \
  X(reordered) X(sent_begin) X(received_begin) X(late_bytes) X(holder_cgroup_id) X(comm)
#define WEIR_FIELDS_OF_weir_udp_key(X) \
  X(cookie) X(local_address) X(remote_address) X(local_port) X(remote_port) X(family) X(zero)
#define WEIR_FIELDS_OF_weir_udp_flow(X) \
  X(bytes_sent) X(datagrams_sent) X(bytes_received) X(datagrams_received) X(first_ns) X(cgroup_id) X(socket) \
  X(netns) X(pid) X(flags) X(zero) X(comm)
#define WEIR_FIELDS_OF_weir_dns_message(X) \
  X(time_ns) X(socket) X(ends) X(cgroup_id) X(netns) X(pid) X(sent) X(length) X(comm) X(data)
#define WEIR_FIELDS_OF_weir_step(X) \
  X(time_ns) X(socket) X(bytes) X(request_bytes) X(kind) X(flags) X(tail_bytes) X(tail) X(stream) X(frame_type) \
  X(frame_flags) X(text_bytes)
#define WEIR_FIELDS_OF_weir_step_head(X) \
  X(step) X(cgroup_id) X(netns) X(pid) X(local_address) X(remote_address) X(local_port) X(remote_port) X(family) \
  X(text_bytes) X(upload_us) X(read_us) X(accept_us) X(zero) X(comm) X(text)
#define WEIR_FIELDS_OF_weir_step_hello(X) X(step) X(text_bytes) X(zero) X(text)
// clang-format on

#define WEIR_FIELD(member) Field{#member, offsetof(Described, member), sizeof(Described::member)},
#define WEIR_DESCRIBE(type, padding)                                                           \
  struct type##_fields {                                                                       \
    using Described = type;                                                                    \
    static constexpr auto kFields = std::to_array<Field>({WEIR_FIELDS_OF_##type(WEIR_FIELD)}); \
    static constexpr size_t Sum() {                                                            \
      size_t sum = 0;                                                                          \
      for (const Field& field : kFields) sum += field.size;                                    \
      return sum;                                                                              \
    }                                                                                          \
  };                                                                                           \
  static_assert(type##_fields::Sum() + padding == sizeof(type),                                \
                "a field of " #type " is missing in WEIR_FIELDS_OF_" #type)

WEIR_DESCRIBE(weir_record, 0);
WEIR_DESCRIBE(weir_udp_key, 0);
WEIR_DESCRIBE(weir_udp_flow, 0);
WEIR_DESCRIBE(weir_dns_message, 0);
WEIR_DESCRIBE(weir_step, 0);
WEIR_DESCRIBE(weir_step_head, 0);
WEIR_DESCRIBE(weir_step_hello, 0);

#define WEIR_LAYOUT(type) \
  Layout { #type, sizeof(type), type##_fields::kFields }
// In the order of Struct.
constexpr std::array<Layout, kStructs> kLayouts = {
    WEIR_LAYOUT(weir_record), WEIR_LAYOUT(weir_udp_key),   WEIR_LAYOUT(weir_udp_flow),  WEIR_LAYOUT(weir_dns_message),
    WEIR_LAYOUT(weir_step),   WEIR_LAYOUT(weir_step_head), WEIR_LAYOUT(weir_step_hello)};

// Cuts the first word off `text`.
std::string_view Word(std::string_view& text) {
  const size_t end = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return word;
}

std::optional<size_t> Number(std::string_view text) {
  size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// "name:offset:size"
std::optional<Field> ParseField(std::string_view word, size_t struct_bytes) {
  const size_t first = word.find(':');
  const size_t second = first == std::string_view::npos ? first : word.find(':', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const auto offset = Number(word.substr(first + 1, second - first - 1));
  const auto size = Number(word.substr(second + 1));
  if (!offset || !size || *offset > struct_bytes || *size > struct_bytes - *offset) return std::nullopt;
  return Field{word.substr(0, first), *offset, *size};
}

}  // namespace

const Layout& LayoutOf(Struct which) { return kLayouts[static_cast<size_t>(which)]; }

std::string LayoutText(const Layout& layout) {
  std::string text = std::to_string(layout.size);
  for (const Field& field : layout.fields) text += fmt::format(" {}:{}:{}", field.name, field.offset, field.size);
  return text;
}

Conversion::Conversion(Struct which) : which_(which), recorded_bytes_(LayoutOf(which).size) {}

Result<Conversion> Conversion::FromText(Struct which, std::string_view recorded) {
  const Layout& here = LayoutOf(which);
  Conversion conversion(which);
  if (recorded == LayoutText(here)) return conversion;
  conversion.same_ = false;
  const auto size = Number(Word(recorded));
  if (!size || *size == 0 || *size > kMaxBytes) return Status::Corrupt(fmt::format("{} has no size", here.name));
  conversion.recorded_bytes_ = *size;
  std::vector<Field> fields;
  while (!recorded.empty()) {
    const std::string_view word = Word(recorded);
    const auto field = ParseField(word, *size);
    if (!field || fields.size() >= kMaxFields) {
      return Status::Corrupt(fmt::format("{} has no field '{}'", here.name, word.substr(0, 64)));
    }
    fields.push_back(*field);
  }
  for (const Field& wanted : here.fields) {
    const auto found =
        std::find_if(fields.begin(), fields.end(), [&](const Field& field) { return field.name == wanted.name; });
    if (found == fields.end()) {
      conversion.missing_.push_back(wanted.name);
      continue;
    }
    // A struct within one, and copied bytes, grow at their end only: what a recording does not have of them reads 0.
    const bool shorter = (wanted.name == "step" || wanted.name == "data") && found->size < wanted.size;
    if (found->size != wanted.size && !shorter) {
      return Status::Unsupported(
          fmt::format("{}.{} has {} bytes there and {} here", here.name, wanted.name, found->size, wanted.size));
    }
    conversion.moves_.push_back({found->offset, wanted.offset, found->size});
  }
  return conversion;
}

void Conversion::Convert(const char* from, char* to) const {
  if (same_) {
    std::memcpy(to, from, recorded_bytes_);
    return;
  }
  std::memset(to, 0, LayoutOf(which_).size);
  for (const Move& move : moves_) std::memcpy(to + move.to, from + move.from, move.size);
}

}  // namespace weir::agent::recording
