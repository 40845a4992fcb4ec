// The server's naming stage by its flags: --prefix-file, --prefix-url, --cidr-label, --geoip and --price-table.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "cmd/prefix_download.h"
#include "cmd/settings.h"
#include "server/naming_stage.h"

namespace weir::cmd {

class Naming {
 public:
  // Reads the files. Errors name the flag, the file and what is wrong with it. `clock` outlives the result.
  static Result<std::unique_ptr<Naming>> Start(const Settings& settings, const std::filesystem::path& data_dir,
                                               const Clock& clock);

  server::NamingStage& stage() { return *stage_; }

 private:
  Naming() = default;
  // What is published in files, what was fetched, and labels. Files that were fetched and cannot be read are left out.
  Result<std::shared_ptr<const server::Prefixes>> ReadPrefixes() const;

  std::vector<std::string> files_;
  std::string labels_;
  std::vector<PublishedList> lists_;
  std::unique_ptr<server::NamingStage> stage_;
  std::unique_ptr<PrefixDownload> download_;  // ends first
};

}  // namespace weir::cmd
