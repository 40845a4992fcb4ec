// The files of data/, put into the program by the build.
#pragma once

#include <string_view>

namespace weir::server {

extern const std::string_view kKnownServicesText;  // known_services.txt
extern const std::string_view kPricesOfAws;        // prices_aws.yaml

}  // namespace weir::server
