// What strangers said and nobody reports must not lie on a disk: from the beginnings of HTTP messages a recording keeps
// the shape and the few fields that are read, and blanks everything else. Whatever is made of the text stays the same.
#pragma once

#include "bpf/requests_abi.h"

namespace weir::agent::recording {

// Blanks values of header fields, queries and identifiers of the target, bodies, and all of what is no HTTP/1 message.
void Redact(weir_step_head& head);
// Blanks the last bytes of a write unless they are the last chunk of an answer.
void Redact(weir_step& step);

}  // namespace weir::agent::recording
