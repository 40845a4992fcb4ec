// Subject: what a finding is about, as a structure. Texts are as agents and clusters gave them; who shows them escapes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::diagnose {

enum class SubjectKind : uint8_t {
  kUnknown,
  kProcess,  // outside of pods: process, container or unit on a node
  kPod,
  kWorkload,
  kNode,
  kInterface,  // of a node
  kService,
  kZonePair,
  kExternal,  // outside the cluster, named or an address
  kCluster,
};
std::string_view SubjectKindName(SubjectKind kind);  // "pod", "zone_pair", ...

struct Subject {
  SubjectKind kind = SubjectKind::kUnknown;
  uint64_t key = 0;  // from what never changes about the thing; names are no part of it
  std::string cluster;
  std::string name_space;
  std::string workload;
  std::string workload_kind;
  std::string pod;
  std::string container;  // its name, or id
  std::string process;
  std::string node;
  std::string zone;
  std::string other_zone;  // of a zone pair; zone <= other_zone
  std::string interface;
  std::string name;  // service, external name or address
  std::string cloud_service;
  uint16_t port = 0;  // of a service; 0 = none

  bool known() const { return kind != SubjectKind::kUnknown; }
};

// "pod shop/web-1", "node n2", "zones a and b", "s3.amazonaws.com". For sentences; never parsed back.
std::string Title(const Subject& subject);

// A condition of the filter language (docs/filter.md) that selects the flows of the subject; "" = all of them.
// `end` is "client_" or "server_" where only one end is meant, "" for either.
std::string FlowFilter(const Subject& subject, std::string_view end = "");

// "pod:shop/web-1", "node:n1", "process:curl@n1", "zones:a,b": what questions, addresses in a browser and the store
// name the subject by. "" when it has no name.
std::string SubjectReference(const Subject& subject);
// The kind and the names in such a reference; the key stays 0. nullopt when it is none.
std::optional<Subject> ParseSubject(std::string_view reference);

// A value quoted for the filter language.
std::string FilterQuote(std::string_view text);

uint64_t HashText(std::string_view text, uint64_t seed = 0);
uint64_t HashPair(uint64_t a, uint64_t b);

Subject NodeSubject(std::string_view cluster, std::string_view node, std::string_view zone);
Subject ZonePairSubject(std::string_view a, std::string_view b);

}  // namespace weir::diagnose
