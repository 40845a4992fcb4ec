// How far a flow went: derived from both of its ends when asked, so that it is as good as what is known of them now.
#pragma once

#include <string_view>

#include "model/address.h"
#include "model/entity.h"

namespace weir::model {

// The nearest that holds, in this order: loopback, same_pod, same_node, same_zone, inter_zone, inter_region,
// cloud_service, internet, private, unknown. An end of which no node is known lies on the internet when its address is
// public, and somewhere near ("private") when it is not.
std::string_view LocalityOf(const Entity& client, const Entity& server, const Address& client_address,
                            const Address& server_address);

}  // namespace weir::model
