// The text of data/known_services.txt, put into the program by the build.
#pragma once

#include <string_view>

namespace weir::server {

extern const std::string_view kKnownServicesText;

}  // namespace weir::server
