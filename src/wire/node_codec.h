// The node's part of a batch <-> message. Bounds on counts and sizes have been checked before (batch_scan.h).
#pragma once

#include "base/status.h"
#include "model/side_report.h"
#include "weir/v1/batch.pb.h"
#include "wire/dictionary.h"

namespace weir::wire {

// kInvalid: a window whose lists are of unlike lengths. What is further from the batch in time than an interval may be
// long is left out.
Status PutNode(const model::AgentBatch& batch, Dictionary& dictionary, v1::Batch& to);

// REQUIRES: the batch's header and the message's strings have been checked. Signals this build does not know, from a
// newer agent, are left out and counted; all else that is wrong is kInvalid.
Status TakeNode(const v1::Batch& message, model::AgentBatch& batch);

}  // namespace weir::wire
