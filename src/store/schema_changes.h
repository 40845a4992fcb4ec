// How directories of older schemas become this one's: a registry of statements, each of which may be run again when it
// was interrupted. Columns, and places of packed measures, are added without a new version (ExtendTablesSql(),
// packed_places.h): what is told by name is read by every version.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "store/engine/engine.h"

namespace weir::store {

struct SchemaStatement {
  std::string sql;           // with {} for what for_each answers
  std::string only_if = "";  // a question; the statement is run where the answer is not 0. "" = always
  // A question that answers with a number per line; the statement is run for each. "" = once.
  std::string for_each = "";
};

struct SchemaChange {
  int version;  // directories of an older one need this
  std::vector<SchemaStatement> statements;
};

// By version, oldest first.
std::vector<SchemaChange> SchemaChanges();

// Brings tables of schema `version` up to this one's. The version of the directory is the caller's to write,
// afterwards.
Status ChangeSchema(Connection& connection, int version);
// Drops what changes left behind, once the directory's version says that they are done.
Status DropLeftovers(Connection& connection);

}  // namespace weir::store
