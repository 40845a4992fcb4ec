#include "agent/identity/cgroup_name.h"

#include <algorithm>
#include <array>

#include "base/utf8.h"
#include "model/columns.h"

namespace weir::agent::identity {
namespace {

constexpr size_t kContainerIdDigits = 64;  // SHA-256, by every runtime we know
constexpr size_t kTaskIdDigits = 32;       // of Amazon ECS
constexpr std::array<std::string_view, 5> kUnitSuffixes{".service", ".scope", ".socket", ".mount", ".swap"};

bool IsHexDigit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

bool IsLowerHex(std::string_view text) { return std::all_of(text.begin(), text.end(), IsHexDigit); }

bool IsContainerId(std::string_view text) { return text.size() == kContainerIdDigits && IsLowerHex(text); }

// A container of ECS on Fargate: the task's id and a number, "0f..9c-2395772889".
bool IsTaskContainer(std::string_view text) {
  if (text.size() < kTaskIdDigits + 2 || text[kTaskIdDigits] != '-') return false;
  const std::string_view number = text.substr(kTaskIdDigits + 1);
  return IsLowerHex(text.substr(0, kTaskIdDigits)) &&
         std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
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
  if (IsTaskContainer(folder)) return folder;
  if (folder.ends_with(".scope")) folder.remove_suffix(std::string_view(".scope").size());
  const size_t separator = folder.find_last_of("-:");
  if (separator != std::string_view::npos) folder.remove_prefix(separator + 1);
  return IsContainerId(folder) ? folder : std::string_view{};
}

// The uid at the end of a folder's name: 8-4-4-4-12 hex digits with dashes, or underscores where systemd's slices are
// made of the dashes; or the 32 hex digits of a static pod. Returned with dashes.
std::string UidAtEnd(std::string_view name) {
  static constexpr std::string_view kForm = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  static constexpr size_t kStaticDigits = 32;
  const size_t at = name.rfind("pod");
  // "pod" begins the folder's name or one of its parts.
  if (at == std::string_view::npos || (at != 0 && name[at - 1] != '-')) return {};
  std::string uid(name.substr(at + 3));
  std::replace(uid.begin(), uid.end(), '_', '-');
  const auto fits = [](char c, char form) { return form == '-' ? c == '-' : IsHexDigit(c); };
  const bool usual = uid.size() == kForm.size() && std::equal(uid.begin(), uid.end(), kForm.begin(), fits);
  return usual || (uid.size() == kStaticDigits && IsLowerHex(uid)) ? uid : std::string();
}

// The pod's uid in one folder's name, "" when there is none. Forms: podUID, PREFIX-podUID.slice and, with the systemd
// driver given a cgroupfs path, PREFIX-podUID.slice:RUNTIME:ID.
std::string PodUidIn(std::string_view folder) {
  folder = folder.substr(0, folder.find(':'));
  if (folder.ends_with(".slice")) folder.remove_suffix(std::string_view(".slice").size());
  return UidAtEnd(folder);
}

// What lies between `prefix` and `suffix` in `text`; "" when it has another form.
std::string_view Between(std::string_view text, std::string_view prefix, std::string_view suffix) {
  if (!text.starts_with(prefix) || !text.ends_with(suffix) || text.size() <= prefix.size() + suffix.size()) return {};
  text.remove_prefix(prefix.size());
  text.remove_suffix(suffix.size());
  return text;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// systemd writes what may not stand in a unit's name as \xNN (systemd.unit(5)).
std::string Unescaped(std::string_view text) {
  constexpr size_t kEscapeBytes = 4;
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    const bool escape = text[at] == '\\' && text.size() - at >= kEscapeBytes && text[at + 1] == 'x';
    const int high = escape ? HexDigit(text[at + 2]) : -1;
    const int low = escape ? HexDigit(text[at + 3]) : -1;
    if (high >= 0 && low >= 0) {
      out.push_back(static_cast<char>(high * 16 + low));
      at += kEscapeBytes - 1;
    } else {
      out.push_back(text[at]);
    }
  }
  return out;
}

// The name systemd-machined or systemd-nspawn keeps a container by; "" for other folders and for virtual machines,
// whose processes are the host's.
std::string MachineIn(std::string_view outer, std::string_view folder) {
  if (const std::string_view name = Between(folder, "systemd-nspawn@", ".service"); !name.empty()) {
    return Unescaped(name);
  }
  if (outer != "machine.slice") return {};
  std::string name = Unescaped(Between(folder, "machine-", ".scope"));
  if (name.starts_with("qemu-")) return {};
  // libvirt's driver for LXC: lxc-NUMBER-NAME.
  if (name.starts_with("lxc-")) {
    const size_t digits_end = name.find_first_not_of("0123456789", 4);
    if (digits_end != std::string::npos && digits_end > 4 && name[digits_end] == '-') name.erase(0, digits_end + 1);
  }
  return name;
}

// The name of a container of LXC, Incus or LXD: lxc.payload.NAME, and lxc.payload/NAME or lxc/NAME in older ones. Its
// monitor, lxc.monitor.NAME, is the host's.
std::string_view LinuxContainerIn(std::string_view outer, std::string_view folder) {
  if (outer == "lxc" || outer == "lxc.payload") return folder;
  return Between(folder, "lxc.payload.", "");
}

// Folder by folder, from the root: what the path has said so far.
class PathReader {
 public:
  void Enter(std::string_view folder) {
    // Containers run in containers, units in units (user@1000.service): the innermost wins.
    std::string machine = MachineIn(last_, folder);
    const bool is_machine = !machine.empty();
    if (is_machine) {
      around_machine_ = container_;
      container_ = std::move(machine);
    } else if (const std::string_view id = ContainerIn(folder); !id.empty()) {
      container_ = id;
    } else if (const std::string_view name = LinuxContainerIn(last_, folder); !name.empty()) {
      container_ = name;
    } else if (in_machine_ && folder == "supervisor") {
      container_ = around_machine_;  // systemd-nspawn itself watches from outside
    }
    in_machine_ = is_machine;
    if (std::string uid = PodUidIn(folder); !uid.empty()) pod_uid_ = std::move(uid);
    if (IsUnit(folder)) unit_ = folder;
    last_ = folder;
  }

  CgroupName Name() const {
    if (!container_.empty()) return {PrintableName(container_, model::kMaxStringBytes), "", pod_uid_};
    return {"", PrintableName(unit_.empty() ? last_ : unit_, model::kMaxStringBytes), pod_uid_};
  }

 private:
  std::string container_;
  std::string around_machine_;  // the container that holds the machine, or ""
  bool in_machine_ = false;     // the last folder is a machine's own
  std::string pod_uid_;
  std::string_view unit_;
  std::string_view last_;
};

// Length of the character at the start of `text`, 0 when it is none that a name may have.
size_t CharacterLength(std::string_view text) {
  const CodePoint point = FirstCodePoint(text);
  return point.valid && !BreaksText(point.value) ? point.bytes : 0;
}

}  // namespace

std::string PrintableName(std::string_view text, size_t limit) {
  std::string out;
  out.reserve(std::min(text.size(), limit));
  while (!text.empty()) {
    const bool ascii = text[0] >= 0x20 && text[0] < 0x7f;
    const size_t length = ascii ? 1 : CharacterLength(text);
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
  PathReader reader;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view folder = path.substr(0, slash);
    // "..": the reader lives in a control group namespace beside it.
    if (!folder.empty() && folder != "..") reader.Enter(folder);
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return reader.Name();
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
    if (fallback.pod_uid.empty()) fallback.pod_uid = name.pod_uid;
    const bool authority = controllers.empty() || controllers == "name=systemd";
    if (!name.unit.empty() && (fallback.unit.empty() || authority)) fallback.unit = std::move(name.unit);
  }
  return fallback;
}

}  // namespace weir::agent::identity
