//! What the server can do, as drivers ask.

use std::sync::LazyLock;

use arrow::array::RecordBatch;
use arrow_flight::error::FlightError;
use arrow_flight::sql::metadata::{
    SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{
    CommandGetSqlInfo, CommandGetXdbcTypeInfo, Nullable, Searchable, SqlInfo, XdbcDataType,
};
use tonic::Status;

use super::status_of;
use crate::error::ApiError;

/// Numbers of facts that the library has no name for.
mod number {
    pub(super) const TRANSACTION: u32 = 8;
    pub(super) const CANCEL: u32 = 9;
    pub(super) const BULK_INGESTION: u32 = 10;
    pub(super) const STATEMENT_TIMEOUT: u32 = 100;
    pub(super) const TRANSACTION_TIMEOUT: u32 = 101;
}

/// Facts about the server.
pub(super) static FACTS: LazyLock<SqlInfoData> = LazyLock::new(|| {
    let mut facts = SqlInfoDataBuilder::new();
    facts.append(SqlInfo::FlightSqlServerName, "Timberline");
    facts.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    facts.append(SqlInfo::FlightSqlServerArrowVersion, "1.3");
    facts.append(SqlInfo::FlightSqlServerReadOnly, true);
    facts.append(SqlInfo::FlightSqlServerSql, true);
    facts.append(SqlInfo::FlightSqlServerSubstrait, false);
    // There are no transactions.
    facts.append(number::TRANSACTION, 0_i32);
    facts.append(number::CANCEL, false);
    facts.append(number::BULK_INGESTION, false);
    facts.append(number::STATEMENT_TIMEOUT, 0_i32);
    facts.append(number::TRANSACTION_TIMEOUT, 0_i32);
    facts.append(SqlInfo::SqlDdlCatalog, false);
    facts.append(SqlInfo::SqlDdlSchema, false);
    facts.append(SqlInfo::SqlDdlTable, false);
    facts.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    facts.append(SqlInfo::SqlAllTablesAreSelectable, true);
    facts.build().expect("BUG: the facts are constants of the types that the library knows")
});

/// The types of columns that drivers are told of.
pub(super) static TYPES: LazyLock<XdbcTypeInfoData> = LazyLock::new(|| {
    let mut types = XdbcTypeInfoDataBuilder::new();
    for (name, kind, size) in [
        ("BOOLEAN", XdbcDataType::XdbcBit, 1),
        ("BIGINT", XdbcDataType::XdbcBigint, 64),
        ("DOUBLE", XdbcDataType::XdbcDouble, 53),
        ("VARCHAR", XdbcDataType::XdbcVarchar, i32::MAX),
        ("VARBINARY", XdbcDataType::XdbcVarbinary, i32::MAX),
        ("TIMESTAMP", XdbcDataType::XdbcTimestamp, 6),
    ] {
        types.append(XdbcTypeInfo {
            type_name: name.to_owned(),
            data_type: kind,
            column_size: Some(size),
            literal_prefix: None,
            literal_suffix: None,
            create_params: None,
            nullable: Nullable::NullabilityNullable,
            case_sensitive: true,
            searchable: Searchable::Full,
            unsigned_attribute: None,
            fixed_prec_scale: false,
            auto_increment: None,
            local_type_name: Some(name.to_owned()),
            minimum_scale: None,
            maximum_scale: None,
            sql_data_type: kind,
            datetime_subcode: None,
            num_prec_radix: None,
            interval_precision: None,
        });
    }
    types.build().expect("BUG: the types are constants of the forms that the library knows")
});

pub(super) fn facts(command: CommandGetSqlInfo) -> Result<RecordBatch, Status> {
    command.into_builder(&FACTS).build().map_err(broken)
}

pub(super) fn types(command: CommandGetXdbcTypeInfo) -> Result<RecordBatch, Status> {
    command.into_builder(&TYPES).build().map_err(broken)
}

fn broken(error: FlightError) -> Status {
    status_of(ApiError::internal(error))
}
