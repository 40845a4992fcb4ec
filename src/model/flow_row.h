// FlowRow: one row of the column table in memory, and its derived values.
#pragma once

#include <span>
#include <string>

#include "model/address.h"
#include "model/columns.h"
#include "model/entity.h"
#include "model/histogram.h"

namespace weir::model {

struct FlowRow {
#define WEIR_FIELD(name, cpp, type, kind, unit, help) cpp name{};
  WEIR_STORED_COLUMNS(WEIR_FIELD)
#undef WEIR_FIELD
  EntityRef client;   // null = nobody knows this end
  EntityRef server;   //
  EntityRef service;  // what the client asked for; null = the server itself, or unknown
};

// Calls visit(column, reference) for every field that is a column, in table order. Row is FlowRow or const FlowRow.
template <typename Row, typename Visitor>
void VisitStored(Row& row, Visitor&& visit) {
  size_t index = 0;
#define WEIR_VISIT(name, cpp, type, kind, unit, help) visit(*kFlowColumns[index++], row.name);
  WEIR_STORED_COLUMNS(WEIR_VISIT)
#undef WEIR_VISIT
}

// Calls visit(column, value) for every dimension of the connection, in table order.
template <typename Visitor>
void VisitConnection(const FlowRow& row, Visitor&& visit) {
  size_t index = kTimeColumnCount;
#define WEIR_VISIT(name, cpp, type, kind, unit, help) visit(*kFlowColumns[index++], row.name);
  WEIR_CONNECTION_COLUMNS(WEIR_VISIT)
#undef WEIR_VISIT
}

// The entity a column is an attribute of. REQUIRES: it is one.
const Entity& EntityOf(const FlowRow& row, const Column& column);

// Adds `from` to `into`, column by column, as ColumnKind says; dimensions are left alone, start/end widen.
void Accumulate(FlowRow& into, const FlowRow& from);

std::string_view ReportedBy(const FlowRow& row);  // client | server | both | "" (nobody)
uint64_t Retransmits(const FlowRow& row);
double RetransmitPercent(const FlowRow& row);  // 0 when no segments
uint64_t LateSegments(const FlowRow& row);
double LatePercent(const FlowRow& row);     // 0 when no segments
double ConnectAverage(const FlowRow& row);  // microseconds; 0 when none measured
double RttAverage(const FlowRow& row);      // microseconds; 0 when no sample
uint64_t RttMinimum(const FlowRow& row);
uint64_t RttMaximum(const FlowRow& row);
const Histogram& RttHistogram(const FlowRow& row);  // of the side RttAverage() is taken from

// The counters behind a column's value: where all of them are 0 there is no sample and the value is unknown,
// which is not the same as 0. Empty = the column is always known.
std::span<const std::string_view> SampleColumns(const Column& column);

// An integer column of a row, of type kTime or kUint; 0 for any other.
uint64_t UintOf(const FlowRow& row, const Column& column);
// Sets an integer column. REQUIRES: stored and no dimension.
void SetUint(FlowRow& row, const Column& column, uint64_t value);
// An address of a row. REQUIRES: the column is one.
const Address& AddressOf(const FlowRow& row, const Column& column);
// A stored histogram of a row. REQUIRES: the column is one.
Histogram& HistogramOf(FlowRow& row, const Column& column);

// Any column of a row as a number or as text, by name; used by the filter on live rows and by exports.
// REQUIRES: the column exists; number for kTime/kUint/kFloat columns, text for kString and kAddress columns.
double NumberOf(const FlowRow& row, const Column& column);
std::string TextOf(const FlowRow& row, const Column& column);

}  // namespace weir::model
