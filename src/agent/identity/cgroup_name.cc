#include "agent/identity/cgroup_name.h"

#include <algorithm>
#include <array>

#include "model/columns.h"

namespace weir::agent::identity {
namespace {

constexpr size_t kContainerIdDigits = 64;  // SHA-256, by every runtime we know
constexpr std::array<std::string_view, 5> kUnitSuffixes{".service", ".scope", ".socket", ".mount", ".swap"};

bool IsContainerId(std::string_view text) {
  return text.size() == kContainerIdDigits &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsUnit(std::string_view folder) {
  return std::any_of(kUnitSuffixes.begin(), kUnitSuffixes.end(),
                     [folder](std::string_view suffix) { return folder.ends_with(suffix); });
}

// The container id in one folder's name, "" when there is none. Forms: ID, RUNTIME-ID.scope, libpod-ID and,
// with the systemd driver given a cgroupfs path, SLICE:RUNTIME:ID.
std::string_view ContainerIn(std::string_view folder) {
  // conmon watches the container from outside: it is part of the host.
  if (folder.find("conmon-") != std::string_view::npos) return {};
  if (folder.ends_with(".scope")) folder.remove_suffix(std::string_view(".scope").size());
  const size_t separator = folder.find_last_of("-:");
  if (separator != std::string_view::npos) folder.remove_prefix(separator + 1);
  return IsContainerId(folder) ? folder : std::string_view{};
}

// Length of the UTF-8 sequence at the start of `text`, 0 when it is invalid (RFC 3629: no overlong forms, no
// surrogates, nothing above U+10FFFF).
size_t SequenceLength(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const size_t length = lead >= 0xc2 && lead <= 0xdf   ? 2
                        : (lead & 0xf0) == 0xe0        ? 3
                        : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                       : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  const bool wrong = (lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
                     (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f) ||
                     (lead == 0xc2 && second < 0xa0);  // C1 control characters
  return wrong ? 0 : length;
}

}  // namespace

std::string PrintableName(std::string_view text, size_t limit) {
  std::string out;
  out.reserve(std::min(text.size(), limit));
  while (!text.empty()) {
    const bool ascii = text[0] >= 0x20 && text[0] < 0x7f;
    const size_t length = ascii ? 1 : SequenceLength(text);
    if (out.size() + std::max<size_t>(length, 1) > limit) break;
    if (length == 0) {
      out.push_back('?');
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

CgroupName NameFromPath(std::string_view path) {
  std::string_view container;
  std::string_view unit;
  std::string_view last;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view folder = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (folder.empty()) continue;
    last = folder;
    // The innermost wins: containers run in containers, units in units (user@1000.service).
    if (const std::string_view id = ContainerIn(folder); !id.empty()) container = id;
    if (IsUnit(folder)) unit = folder;
  }
  if (!container.empty()) return {std::string(container), ""};
  return {"", PrintableName(unit.empty() ? last : unit, model::kMaxStringBytes)};
}

CgroupName NameFromProcFile(std::string_view text) {
  CgroupName fallback;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    // hierarchy-id:controllers:path
    const size_t first = line.find(':');
    const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    CgroupName name = NameFromPath(line.substr(second + 1));
    if (!name.container.empty()) return name;
    const bool authority = controllers.empty() || controllers == "name=systemd";
    if (!name.unit.empty() && (fallback.unit.empty() || authority)) fallback = std::move(name);
  }
  return fallback;
}

}  // namespace weir::agent::identity
