// Which workload is all there is behind a service, so that the map's services are one node as servers and as clients.
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>

#include "api/map_end.h"

namespace weir::api {

// Pairs of a service and a workload of its namespace, where each is all the other has. Others are left as they are: a
// workload behind two services calls in the name of neither.
class ServicePairs {
 public:
  // Every server, before the first Lead().
  void Add(const EndFacts& server);
  // Makes an end that is a paired workload its service. The workload of a service stays when they are a pair.
  // What `end` borrows then lives as long as this.
  void Lead(EndFacts& end) const;
  // The opposite: makes an end that is known by its service alone the workload of the pair, where there is one.
  void LeadToWorkload(EndFacts& end) const;

 private:
  using Key = std::tuple<std::string, std::string, std::string>;  // cluster, namespace, name
  using Names = std::set<std::string>;

  // The only name there for `key`, when `there` has only `key` for that.
  static const std::string* OnlyOne(const Key& key, const std::map<Key, Names>& here,
                                    const std::map<Key, Names>& there);

  std::map<Key, Names> services_;     // by workload
  std::map<Key, Names> workloads_;    // by service
  std::map<Key, std::string> kinds_;  // of workloads
};

}  // namespace weir::api
