// Prefixes: address ranges with names: what clouds publish in files of their own formats, and labels of the user. A
// user's label wins; of published ranges the most specific service wins over its cloud's general one, then the longest
// prefix.
//
// Formats, told apart by content: AWS ip-ranges.json, Google cloud.json and goog.json, Azure ServiceTags_Public_*.json,
// Hugging Face .well-known/meta.json (cdnIps).
//
// Immutable once built; look-ups from any thread.
#pragma once

#include <tsl/robin_map.h>
#include <xxhash.h>

#include <array>
#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "model/address.h"

namespace weir::server {

struct PrefixName {
  enum class Rank : uint8_t { kCloud, kCompute, kService, kLabel };  // the higher wins

  std::string name;        // "Amazon S3"
  std::string class_name;  // "object_store"; "" = none
  std::string region;
  Rank rank = Rank::kCloud;
};

// A file that was read.
struct PrefixFile {
  std::string path;
  std::string kind;      // "aws", "google", "azure", "huggingface"
  UnixMillis dated = 0;  // as it says itself; 0 = it does not
  size_t prefixes = 0;
};

class Prefixes {
 public:
  static constexpr size_t kMaxFileBytes = size_t{64} << 20;
  static constexpr size_t kMaxPrefixes = 1'000'000;

  // Adds what the text of a file says. kInvalid: it is none of the formats, or is cut off; nothing is added then.
  // kExhausted: too large.
  Result<PrefixFile> AddFile(const std::string& path, std::string_view text);
  // "10.0.0.0/8=office" or "10.0.0.0/8=office:file_store", several joined by commas.
  Status AddLabels(std::string_view text);

  // nullptr when no prefix has the address.
  const PrefixName* Find(const model::Address& address) const;
  size_t size() const { return names_by_prefix_.size(); }
  const std::vector<PrefixFile>& files() const { return files_; }

 private:
  struct Key {
    model::Address address;  // with all bits below the prefix cleared
    uint64_t bits = 0;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const { return XXH3_64bits(&key, sizeof(key)); }
  };
  struct Found {
    std::string prefix;
    PrefixName name;
  };
  class Reader;

  uint32_t NumberOf(const PrefixName& name);
  Status Add(std::string_view prefix, const PrefixName& name);

  std::vector<PrefixName> names_;
  tsl::robin_map<std::string, uint32_t> numbers_;  // of names, by all of their texts
  tsl::robin_map<Key, uint32_t, Hash> names_by_prefix_;
  std::bitset<129> lengths_;  // in use
  std::vector<PrefixFile> files_;
};

}  // namespace weir::server
