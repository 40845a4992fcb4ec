// Fuzzes the answers of DNS messages: bounded, and nothing beyond the bytes.
#include <cstdlib>
#include <span>

#include "agent/udp/dns_answers.h"
#include "model/columns.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir::agent::udp;
  const DnsAnswers answers = ParseDnsAnswers(std::span(data, size));
  if (answers.addresses.size() > kMaxDnsRecords || answers.canonical.size() > weir::model::kMaxStringBytes)
    std::abort();
  return 0;
}
