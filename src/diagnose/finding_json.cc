#include "diagnose/finding_json.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace weir::diagnose {
namespace {

// Texts of a subject: X(member, name in JSON)
#define WEIR_SUBJECT_TEXTS(X)       \
  X(cluster, "cluster")             \
  X(name_space, "namespace")        \
  X(workload, "workload")           \
  X(workload_kind, "workload_kind") \
  X(pod, "pod")                     \
  X(container, "container")         \
  X(process, "process")             \
  X(node, "node")                   \
  X(zone, "zone")                   \
  X(other_zone, "other_zone") X(interface, "interface") X(name, "name") X(cloud_service, "cloud_service")

// Numbers of a load. X(name)
#define WEIR_LOAD_NUMBERS(X) \
  X(bytes)                   \
  X(wall_s)                  \
  X(mean_bits)               \
  X(p95_bits)                \
  X(peak_10ms_bits)          \
  X(baseline_bits)           \
  X(peak_bits)               \
  X(connections) X(late_segments) X(others_bytes) X(startup_s) X(startup_share) X(earlier_loads) X(earlier_median_s)

Json TimeOf(UnixMillis time, const JsonForm& form) {
  if (form.time == nullptr) return time;
  return time == 0 ? Json(nullptr) : form.time(time);
}

template <typename Items>
Json ListOf(const Items& items, const JsonForm& form) {
  Json list = Json::array();
  for (const auto& item : items) list.push_back(ToJson(item, form));
  return list;
}

Json ReferenceJson(const Reference& reference, const JsonForm& form) {
  Json json{{"kind", ReferenceKindName(reference.kind)}};
  for (const auto& [name, text] : {std::pair{"columns", &reference.columns}, std::pair{"filter", &reference.filter},
                                   std::pair{"node", &reference.node}, std::pair{"subject", &reference.subject}}) {
    if (!text->empty()) json[name] = *text;
  }
  json["from"] = TimeOf(reference.from, form);
  json["to"] = TimeOf(reference.to, form);
  return json;
}

Json LoadJson(const LoadFacts& load, const JsonForm& form) {
  Json json{{"kind", load.kind},
            {"shared", load.shared},
            {"remote_class", load.remote_class},
            {"source", ToJson(load.source, form)}};
  if (load.helper.known()) json["helper"] = ToJson(load.helper, form);
#define WEIR_NUMBER(name) json[#name] = load.name;
  WEIR_LOAD_NUMBERS(WEIR_NUMBER)
#undef WEIR_NUMBER
  json["capacity_source"] = load.capacity_source;
  json["samples_missing"] = load.samples_missing;
  Json phases = Json::array();
  for (size_t phase = 0; phase < kLoadPhases; ++phase) {
    Json one{{"name", kLoadPhaseTexts[phase].name}, {"seconds", load.phase_s[phase]}};
    if (form.for_people) one["text"] = kLoadPhaseTexts[phase].text;
    phases.push_back(std::move(one));
  }
  json["phases"] = std::move(phases);
  return json;
}

// --- and back ---

const Json& At(const Json& json, const char* name) {
  static const Json kNothing;
  const auto found = json.is_object() ? json.find(name) : json.end();
  return found == json.end() ? kNothing : *found;
}

std::string TextIn(const Json& json, const char* name) {
  const Json& value = At(json, name);
  return value.is_string() ? value.get<std::string>() : "";
}

double NumberIn(const Json& json, const char* name) {
  const Json& value = At(json, name);
  return value.is_number() ? value.get<double>() : 0;
}

template <typename Number>
void Take(const Json& json, const char* name, Number& into) {
  const Json& value = At(json, name);
  if (value.is_number()) into = value.get<Number>();
}

bool TruthIn(const Json& json, const char* name) {
  const Json& value = At(json, name);
  return value.is_boolean() && value.get<bool>();
}

// The value whose name the text is; `fallback` when there is none.
template <typename Enum, typename NameOf>
Enum Named(std::string_view text, size_t count, Enum fallback, const NameOf& name_of) {
  for (size_t value = 0; value < count; ++value) {
    if (name_of(static_cast<Enum>(value)) == text) return static_cast<Enum>(value);
  }
  return fallback;
}

Subject SubjectFrom(const Json& json) {
  Subject subject;
  subject.kind = Named(TextIn(json, "kind"), static_cast<size_t>(SubjectKind::kCluster) + 1, SubjectKind::kUnknown,
                       SubjectKindName);
#define WEIR_TEXT(member, name) subject.member = TextIn(json, name);
  WEIR_SUBJECT_TEXTS(WEIR_TEXT)
#undef WEIR_TEXT
  const std::string key = TextIn(json, "key");
  std::from_chars(key.data(), key.data() + key.size(), subject.key, 16);
  Take(json, "port", subject.port);
  return subject;
}

std::vector<std::string> TextsFrom(const Json& json) {
  std::vector<std::string> texts;
  if (!json.is_array()) return texts;
  for (const Json& text : json) {
    if (text.is_string()) texts.push_back(text.get<std::string>());
  }
  return texts;
}

std::vector<Involved> InvolvedFrom(const Json& json) {
  std::vector<Involved> all;
  if (!json.is_array()) return all;
  for (const Json& one : json) {
    all.push_back({SubjectFrom(At(one, "subject")), NumberIn(one, "share"), TextIn(one, "sentence")});
  }
  return all;
}

Reference ReferenceFrom(const Json& json) {
  Reference reference;
  reference.kind = Named(TextIn(json, "kind"), static_cast<size_t>(Reference::Kind::kPods) + 1, Reference::Kind::kNone,
                         ReferenceKindName);
  reference.columns = TextIn(json, "columns");
  reference.filter = TextIn(json, "filter");
  reference.node = TextIn(json, "node");
  reference.subject = TextIn(json, "subject");
  Take(json, "from", reference.from);
  Take(json, "to", reference.to);
  return reference;
}

std::vector<Evidence> EvidenceFrom(const Json& json) {
  std::vector<Evidence> all;
  if (!json.is_array()) return all;
  for (const Json& one : json) {
    all.push_back({TextIn(one, "name"), TextIn(one, "sentence"), NumberIn(one, "value"), TextIn(one, "unit"),
                   NumberIn(one, "points"), ReferenceFrom(At(one, "reference"))});
  }
  return all;
}

LoadFacts LoadFrom(const Json& json) {
  LoadFacts load;
  load.kind = TextIn(json, "kind");
  load.shared = TruthIn(json, "shared");
  load.remote_class = TextIn(json, "remote_class");
  load.source = SubjectFrom(At(json, "source"));
  load.helper = SubjectFrom(At(json, "helper"));
#define WEIR_NUMBER(name) Take(json, #name, load.name);
  WEIR_LOAD_NUMBERS(WEIR_NUMBER)
#undef WEIR_NUMBER
  load.capacity_source = TextIn(json, "capacity_source");
  load.samples_missing = TruthIn(json, "samples_missing");
  const Json& phases = At(json, "phases");
  if (!phases.is_array()) return load;
  for (const Json& phase : phases) {
    const std::string name = TextIn(phase, "name");
    for (size_t at = 0; at < kLoadPhases; ++at) {
      if (kLoadPhaseTexts[at].name == name) load.phase_s[at] = NumberIn(phase, "seconds");
    }
  }
  return load;
}

std::string Dumped(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

// What a finding says, apart from who, when and how sure.
void TakeStory(const Json& json, Finding& finding) {
  finding.verdict = TextIn(json, "verdict");
  finding.advice = TextIn(json, "advice");
  finding.evidence = EvidenceFrom(At(json, "evidence"));
  finding.not_excluded = TextsFrom(At(json, "not_excluded"));
  finding.culprits = InvolvedFrom(At(json, "culprits"));
  finding.victims = InvolvedFrom(At(json, "victims"));
  for (const std::string& id : TextsFrom(At(json, "related"))) finding.related.push_back(ParseId(id));
  finding.closed_because = TextIn(json, "closed_because");
  finding.node = TextIn(json, "node");
  if (const Json& load = At(json, "load"); load.is_object()) finding.load = LoadFrom(load);
  const Json& steps = At(json, "steps");
  if (!steps.is_array()) return;
  for (const Json& one : steps) {
    StartupStep step{TextIn(one, "name"), 0, 0, TruthIn(one, "known")};
    Take(one, "from", step.from);
    Take(one, "to", step.to);
    finding.steps.push_back(std::move(step));
  }
}

}  // namespace

std::string IdText(uint64_t id) { return fmt::format("{:014x}", id); }

uint64_t ParseId(std::string_view text) {
  uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id, 16);
  return error == std::errc() && end == text.data() + text.size() && text.size() == 14 ? id : 0;
}

Json ToJson(const Subject& subject, const JsonForm& form) {
  Json json{{"kind", SubjectKindName(subject.kind)}};
  if (form.for_people) {
    json["title"] = Title(subject);
    json["reference"] = SubjectReference(subject);
  }
#define WEIR_TEXT(member, name) \
  if (!subject.member.empty()) json[name] = subject.member;
  WEIR_SUBJECT_TEXTS(WEIR_TEXT)
#undef WEIR_TEXT
  if (subject.port != 0) json["port"] = subject.port;
  if (form.for_people) {
    json["filter"] = FlowFilter(subject);
  } else {
    json["key"] = fmt::format("{:x}", subject.key);
  }
  return json;
}

Json ToJson(const Evidence& evidence, const JsonForm& form) {
  Json json{{"name", evidence.name},
            {"sentence", evidence.sentence},
            {"value", evidence.value},
            {"unit", evidence.unit},
            {"points", evidence.points}};
  if (evidence.reference.kind != Reference::Kind::kNone) json["reference"] = ReferenceJson(evidence.reference, form);
  return json;
}

Json ToJson(const Involved& involved, const JsonForm& form) {
  return {{"subject", ToJson(involved.subject, form)}, {"share", involved.share}, {"sentence", involved.sentence}};
}

Json ToJson(const StartupStep& step, const JsonForm& form) {
  return {{"name", step.name}, {"from", TimeOf(step.from, form)}, {"to", TimeOf(step.to, form)}, {"known", step.known}};
}

Json ToJson(const Finding& finding, const JsonForm& form) {
  Json json{{"id", IdText(finding.id)}, {"detector", Describe(finding.detector).name}, {"kind", finding.kind}};
  if (form.for_people) json["title"] = Describe(finding.detector).title;
  json["subject"] = ToJson(finding.subject, form);
  if (finding.peer.known()) json["peer"] = ToJson(finding.peer, form);
  json["state"] = finding.state == FindingState::kOpen ? "open" : "closed";
  json["closed_because"] = finding.closed_because;
  json["severity"] = SeverityName(finding.severity);
  json["confidence"] = LevelName(finding.level);
  json["points"] = finding.points;
  json["start"] = TimeOf(finding.start, form);
  json["end"] = TimeOf(finding.end, form);
  json["updated"] = TimeOf(finding.updated, form);
  json["revision"] = finding.revision;
  json["verdict"] = finding.verdict;
  json["advice"] = finding.advice;
  json["evidence"] = ListOf(finding.evidence, form);
  json["not_excluded"] = finding.not_excluded;
  json["culprits"] = ListOf(finding.culprits, form);
  json["victims"] = ListOf(finding.victims, form);
  Json related = Json::array();
  for (const uint64_t id : finding.related) related.push_back(IdText(id));
  json["related"] = std::move(related);
  json["node"] = finding.node;
  if (finding.load) json["load"] = LoadJson(*finding.load, form);
  if (!finding.steps.empty()) json["steps"] = ListOf(finding.steps, form);
  if (!form.for_people) json["variant"] = finding.variant;
  return json;
}

Json ToJson(const HealthIndicator& indicator, const JsonForm& form) {
  Json json{{"scope", ToJson(indicator.scope, form)},
            {"start", TimeOf(indicator.start, form)},
            {"end", TimeOf(indicator.end, form)}};
  json["value"] = indicator.value ? Json(*indicator.value) : Json(nullptr);
  json["judged"] = indicator.judged;
  json["sick"] = indicator.sick;
  json["explained"] = indicator.explained;
  json["owners"] = indicator.owners;
  json["confidence"] = indicator.confidence;
  json["why"] = indicator.why;
  return json;
}

std::string StoredText(const Finding& finding) { return Dumped(ToJson(finding, {})); }
std::string StoredText(const HealthIndicator& indicator) { return Dumped(ToJson(indicator, {})); }

Result<Finding> FindingFrom(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  Finding finding;
  finding.id = ParseId(TextIn(json, "id"));
  const std::string detector = TextIn(json, "detector");
  size_t known = 0;
  while (known < kDetectors.size() && kDetectors[known].name != detector) ++known;
  if (finding.id == 0 || known == kDetectors.size()) return Status::Corrupt("what is stored there is no finding");
  finding.detector = static_cast<Detector>(known);
  finding.kind = TextIn(json, "kind");
  finding.subject = SubjectFrom(At(json, "subject"));
  finding.peer = SubjectFrom(At(json, "peer"));
  Take(json, "variant", finding.variant);
  finding.state = TextIn(json, "state") == "open" ? FindingState::kOpen : FindingState::kClosed;
  finding.severity =
      Named(TextIn(json, "severity"), static_cast<size_t>(Severity::kCritical) + 1, Severity::kMinor, SeverityName);
  finding.level = Named(TextIn(json, "confidence"), static_cast<size_t>(Level::kHigh) + 1, Level::kSilent, LevelName);
  Take(json, "points", finding.points);
  Take(json, "start", finding.start);
  Take(json, "end", finding.end);
  Take(json, "updated", finding.updated);
  Take(json, "revision", finding.revision);
  TakeStory(json, finding);
  return finding;
}

Result<HealthIndicator> IndicatorFrom(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!At(json, "scope").is_object()) return Status::Corrupt("what is stored there is no health indicator");
  HealthIndicator indicator;
  indicator.scope = SubjectFrom(At(json, "scope"));
  Take(json, "start", indicator.start);
  Take(json, "end", indicator.end);
  if (At(json, "value").is_number()) indicator.value = static_cast<int>(NumberIn(json, "value"));
  Take(json, "judged", indicator.judged);
  Take(json, "sick", indicator.sick);
  Take(json, "explained", indicator.explained);
  Take(json, "owners", indicator.owners);
  Take(json, "confidence", indicator.confidence);
  indicator.why = TextIn(json, "why");
  return indicator;
}

}  // namespace weir::diagnose
