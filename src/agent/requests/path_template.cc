#include "agent/requests/path_template.h"

#include <algorithm>

#include "agent/identity/cgroup_name.h"

namespace weir::agent::requests {
namespace {

constexpr size_t kMaxSegments = 8;
constexpr size_t kLongSegment = 32;
constexpr size_t kHexRun = 8;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHex(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool IsUuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !IsHex(text[i])) return false;
  }
  return true;
}

bool IsIdentifier(std::string_view segment) {
  if (segment.empty()) return false;
  if (segment.size() > kLongSegment || IsUuid(segment)) return true;
  if (std::all_of(segment.begin(), segment.end(), IsDigit)) return true;
  size_t run = 0;
  bool digit = false;  // "deadbeef" may be a word, "defaced1" hardly
  for (const char c : segment) {
    run = IsHex(c) ? run + 1 : 0;
    digit = run > 0 && (digit || IsDigit(c));
    if (run >= kHexRun && digit) return true;
  }
  return false;
}

// Where the host of an absolute target begins; npos when it is not one.
size_t HostAt(std::string_view target) {
  const size_t scheme = target.find("://");
  return scheme == std::string_view::npos || target.starts_with('/') ? std::string_view::npos : scheme + 3;
}

std::string_view PathOf(std::string_view target) {
  if (const size_t host = HostAt(target); host != std::string_view::npos) {
    const size_t path = target.find('/', host);
    target = path == std::string_view::npos ? "/" : target.substr(path);
  }
  return target.substr(0, target.find_first_of("?#"));
}

// Overwrites [from, to) but for what gives a target its shape.
void Blank(std::span<char> target, size_t from, size_t to, char with) {
  for (char& c : target.subspan(from, to - from)) {
    if (std::string_view(":/?#").find(c) == std::string_view::npos) c = with;
  }
}

}  // namespace

std::string PathTemplate(std::string_view target) {
  const std::string_view path = PathOf(target);
  if (!path.starts_with('/')) return path == "*" ? "*" : "/";
  std::string out;
  size_t segments = 0;
  for (size_t at = 1; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view segment = path.substr(at, end - at);
    out += '/';
    if (++segments > kMaxSegments) {
      out += "...";
      break;
    }
    out += IsIdentifier(segment) ? std::string_view("{id}") : segment;
    at = end + 1;
  }
  return identity::PrintableName(out, kMaxTemplateBytes);
}

void BlankTarget(std::span<char> target) {
  const std::string_view view(target.data(), target.size());
  size_t path = 0;
  if (const size_t host = HostAt(view); host != std::string_view::npos) {
    path = std::min(view.find('/', host), view.size());
    Blank(target, 0, path, 'x');
  }
  const size_t path_end = std::min(view.find_first_of("?#", path), view.size());
  Blank(target, path_end, view.size(), 'x');
  if (path == path_end || view[path] != '/') return;
  size_t segments = 0;
  for (size_t at = path + 1; at <= path_end;) {
    const size_t end = std::min(view.find('/', at), path_end);
    if (++segments > kMaxSegments || IsIdentifier(view.substr(at, end - at))) Blank(target, at, end, '0');
    at = end + 1;
  }
}

}  // namespace weir::agent::requests
