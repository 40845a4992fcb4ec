#include "diagnose/subject.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>

namespace weir::diagnose {
namespace {

std::string Joined(std::string_view name_space, std::string_view name) {
  return name_space.empty() ? std::string(name) : fmt::format("{}/{}", name_space, name);
}

// field = "value", of one end or of both.
std::string Condition(std::string_view end, std::string_view field, std::string_view value) {
  const std::string quoted = FilterQuote(value);
  if (!end.empty()) return fmt::format("{}{} = {}", end, field, quoted);
  return fmt::format("(client_{0} = {1} or server_{0} = {1})", field, quoted);
}

std::string Both(const std::string& a, const std::string& b) { return a.empty() ? b : fmt::format("{} and {}", a, b); }

// Conditions on one end, joined by `and`.
std::string EndFilter(const Subject& subject, std::string_view end) {
  std::string filter;
  const std::array<std::pair<std::string_view, const std::string*>, 3> fields{
      {{"namespace", &subject.name_space},
       {subject.kind == SubjectKind::kPod ? "pod" : "workload",
        subject.kind == SubjectKind::kPod ? &subject.pod : &subject.workload},
       {"process", subject.kind == SubjectKind::kProcess ? &subject.process : nullptr}}};
  for (const auto& [field, value] : fields) {
    if (value != nullptr && !value->empty()) filter = Both(filter, Condition(end, field, *value));
  }
  if (subject.kind == SubjectKind::kProcess && !subject.node.empty()) {
    filter = Both(filter, Condition(end, "node", subject.node));
  }
  return filter;
}

}  // namespace

std::string_view SubjectKindName(SubjectKind kind) {
  switch (kind) {
    case SubjectKind::kUnknown: return "unknown";
    case SubjectKind::kProcess: return "process";
    case SubjectKind::kPod: return "pod";
    case SubjectKind::kWorkload: return "workload";
    case SubjectKind::kNode: return "node";
    case SubjectKind::kInterface: return "interface";
    case SubjectKind::kService: return "service";
    case SubjectKind::kZonePair: return "zone_pair";
    case SubjectKind::kExternal: return "external";
    case SubjectKind::kCluster: return "cluster";
  }
  return "unknown";
}

std::string Title(const Subject& subject) {
  switch (subject.kind) {
    case SubjectKind::kUnknown: return subject.name.empty() ? "an unknown end" : subject.name;
    case SubjectKind::kProcess:
      if (subject.process.empty()) return fmt::format("{} on {}", subject.container, subject.node);
      return subject.node.empty() ? subject.process : fmt::format("{} on {}", subject.process, subject.node);
    case SubjectKind::kPod: return fmt::format("pod {}", Joined(subject.name_space, subject.pod));
    case SubjectKind::kWorkload:
      return fmt::format("{} {}", subject.workload_kind.empty() ? "workload" : subject.workload_kind,
                         Joined(subject.name_space, subject.workload));
    case SubjectKind::kNode: return fmt::format("node {}", subject.node);
    case SubjectKind::kInterface: return fmt::format("{} of node {}", subject.interface, subject.node);
    case SubjectKind::kService:
      return fmt::format("service {}{}", Joined(subject.name_space, subject.name),
                         subject.port == 0 ? "" : fmt::format(":{}", subject.port));
    case SubjectKind::kZonePair:
      return subject.zone == subject.other_zone ? fmt::format("zone {}", subject.zone)
                                                : fmt::format("zones {} and {}", subject.zone, subject.other_zone);
    case SubjectKind::kExternal: return subject.name.empty() ? "an outside address" : subject.name;
    case SubjectKind::kCluster: return subject.cluster.empty() ? "the cluster" : subject.cluster;
  }
  return "";
}

std::string FlowFilter(const Subject& subject, std::string_view end) {
  switch (subject.kind) {
    case SubjectKind::kPod:
    case SubjectKind::kWorkload:
    case SubjectKind::kProcess: return EndFilter(subject, end);
    case SubjectKind::kNode:
    case SubjectKind::kInterface: return Condition(end, "node", subject.node);
    case SubjectKind::kService:
      return Both(subject.name.empty() ? "" : fmt::format("server_service = {}", FilterQuote(subject.name)),
                  subject.port == 0 ? "" : fmt::format("server_port = {}", subject.port));
    case SubjectKind::kZonePair:
      return fmt::format("((client_zone = {0} and server_zone = {1}) or (client_zone = {1} and server_zone = {0}))",
                         FilterQuote(subject.zone), FilterQuote(subject.other_zone));
    case SubjectKind::kExternal: return subject.name.empty() ? "" : Condition(end, "external_name", subject.name);
    case SubjectKind::kUnknown:
    case SubjectKind::kCluster: return "";
  }
  return "";
}

std::string SubjectReference(const Subject& subject) {
  switch (subject.kind) {
    case SubjectKind::kPod: return "pod:" + Joined(subject.name_space, subject.pod);
    case SubjectKind::kWorkload: return "workload:" + Joined(subject.name_space, subject.workload);
    case SubjectKind::kProcess: {
      const std::string& name = subject.process.empty() ? subject.container : subject.process;
      return subject.node.empty() ? "process:" + name : fmt::format("process:{}@{}", name, subject.node);
    }
    case SubjectKind::kNode:
    case SubjectKind::kInterface: return "node:" + subject.node;
    case SubjectKind::kService: return "service:" + Joined(subject.name_space, subject.name);
    case SubjectKind::kZonePair: return fmt::format("zones:{},{}", subject.zone, subject.other_zone);
    case SubjectKind::kExternal: return subject.name.empty() ? "" : "external:" + subject.name;
    case SubjectKind::kCluster: return "cluster:" + subject.cluster;
    case SubjectKind::kUnknown: return "";
  }
  return "";
}

std::optional<Subject> ParseSubject(std::string_view reference) {
  const size_t colon = reference.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view kind = reference.substr(0, colon);
  const std::string_view name = reference.substr(colon + 1);
  Subject subject;
  if (name.empty() && kind != "cluster") return std::nullopt;
  const auto namespaced = [&](std::string& own) {
    const size_t slash = name.find('/');
    subject.name_space = slash == std::string_view::npos ? "" : name.substr(0, slash);
    own = slash == std::string_view::npos ? name : name.substr(slash + 1);
  };
  if (kind == "pod") {
    subject.kind = SubjectKind::kPod;
    namespaced(subject.pod);
  } else if (kind == "workload") {
    subject.kind = SubjectKind::kWorkload;
    namespaced(subject.workload);
  } else if (kind == "service") {
    subject.kind = SubjectKind::kService;
    namespaced(subject.name);
  } else if (kind == "process") {
    const size_t at = name.rfind('@');
    subject.kind = SubjectKind::kProcess;
    subject.process = name.substr(0, at);
    subject.node = at == std::string_view::npos ? "" : name.substr(at + 1);
  } else if (kind == "node") {
    subject.kind = SubjectKind::kNode;
    subject.node = name;
  } else if (kind == "zones") {
    const size_t comma = name.find(',');
    subject = ZonePairSubject(name.substr(0, comma), comma == std::string_view::npos ? name : name.substr(comma + 1));
  } else if (kind == "external") {
    subject.kind = SubjectKind::kExternal;
    subject.name = name;
  } else if (kind == "cluster") {
    subject.kind = SubjectKind::kCluster;
    subject.cluster = name;
  } else {
    return std::nullopt;
  }
  return subject;
}

std::string FilterQuote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

uint64_t HashText(std::string_view text, uint64_t seed) { return XXH3_64bits_withSeed(text.data(), text.size(), seed); }

uint64_t HashPair(uint64_t a, uint64_t b) {
  const std::array<uint64_t, 2> both{a, b};
  return XXH3_64bits(both.data(), sizeof both);
}

Subject NodeSubject(std::string_view cluster, std::string_view node, std::string_view zone) {
  Subject subject;
  subject.kind = SubjectKind::kNode;
  subject.key = HashText(node, HashText(cluster, 1));
  subject.cluster = cluster;
  subject.node = node;
  subject.zone = zone;
  return subject;
}

Subject ZonePairSubject(std::string_view a, std::string_view b) {
  Subject subject;
  subject.kind = SubjectKind::kZonePair;
  subject.zone = std::min(a, b);
  subject.other_zone = std::max(a, b);
  subject.key = HashPair(HashText(subject.zone, 2), HashText(subject.other_zone, 2));
  return subject;
}

}  // namespace weir::diagnose
