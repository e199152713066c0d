//! Where DataFusion's errors become the engine's: the only place.

use std::error::Error as StdError;
use std::io;

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use object_store::path::Path;

use crate::error::{Error, ErrorKind};

/// Who wrote the query that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryOrigin {
    /// The engine: a query that does not fit its data is a fault of ours.
    Engine,
    /// The caller, in SQL: such a query is the caller's to mend.
    Sql,
}

/// A failure to read one data file.
#[derive(Debug, thiserror::Error)]
#[error("data file {path} cannot be read: {source}")]
pub(super) struct DataFileError {
    pub(super) path: Path,
    pub(super) source: Box<dyn StdError + Send + Sync>,
}

/// What went wrong in a query, as an error of the engine.
pub fn from_datafusion(error: DataFusionError, origin: QueryOrigin) -> Error {
    let error = match error {
        DataFusionError::External(source) => match source.downcast::<Error>() {
            Ok(own) => return *own,
            Err(source) => DataFusionError::External(source),
        },
        error => error,
    };
    if let Some(own) = find_source::<Error>(&error) {
        return Error::new(own.kind(), own.message()).with_source(error);
    }
    let kind = kind(&error, origin);
    let message = match kind {
        ErrorKind::InvalidRequest => error.find_root().message().into_owned(),
        ErrorKind::ResourcesExhausted => "the query needs more memory than it may have".to_owned(),
        ErrorKind::CorruptData => match find_source::<DataFileError>(&error) {
            Some(file) => format!("data file {} is missing or damaged", file.path),
            None => UNNAMED_DAMAGE.to_owned(),
        },
        ErrorKind::Unavailable => match find_source::<DataFileError>(&error) {
            Some(file) => format!("data file {} cannot be read now", file.path),
            None if is_full_disk(&error) => "the disk that large answers are made on is full".to_owned(),
            None => "storage cannot be read now".to_owned(),
        },
        _ => "the query failed".to_owned(),
    };
    Error::new(kind, message).with_source(error)
}

/// What is said when a decoder fails that does not know which file it reads.
const UNNAMED_DAMAGE: &str = "a data file is damaged";

/// Whether `error` says that some data file is damaged but not which.
pub(super) fn is_unnamed_damage(error: &Error) -> bool {
    error.kind() == ErrorKind::CorruptData && error.message() == UNNAMED_DAMAGE
}

fn kind(error: &DataFusionError, origin: QueryOrigin) -> ErrorKind {
    if let Some(store) = find_source::<object_store::Error>(error) {
        // The catalog lists the file, so that its absence is damage.
        return match store {
            object_store::Error::NotFound { .. } => ErrorKind::CorruptData,
            _ => ErrorKind::Unavailable,
        };
    }
    if is_full_disk(error) {
        return ErrorKind::Unavailable;
    }
    let query_fault = match origin {
        QueryOrigin::Engine => ErrorKind::Internal,
        QueryOrigin::Sql => ErrorKind::InvalidRequest,
    };
    match error.find_root() {
        DataFusionError::SQL(..)
        | DataFusionError::Plan(_)
        | DataFusionError::SchemaError(..)
        | DataFusionError::NotImplemented(_) => ErrorKind::InvalidRequest,
        DataFusionError::Execution(_) => query_fault,
        DataFusionError::ArrowError(arrow, _) => arrow_kind(arrow, query_fault),
        DataFusionError::ParquetError(_) => ErrorKind::CorruptData,
        DataFusionError::ResourcesExhausted(_) => ErrorKind::ResourcesExhausted,
        DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) => ErrorKind::Unavailable,
        _ => ErrorKind::Internal,
    }
}

/// What DataFusion says when all that may be spilled is spilled; some of its errors carry the text alone.
const SPILL_LIMIT: &str = "used disk space during the spilling process";

/// Whether there is no place where queries spill to: nobody's fault, and better later.
fn is_full_disk(error: &DataFusionError) -> bool {
    let is_full = |kind| matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    find_source::<io::Error>(error).is_some_and(|error| is_full(error.kind()))
        || error.to_string().contains(SPILL_LIMIT)
}

fn arrow_kind(error: &ArrowError, query_fault: ErrorKind) -> ErrorKind {
    match error {
        ArrowError::ParquetError(_) => ErrorKind::CorruptData,
        ArrowError::MemoryError(_) => ErrorKind::ResourcesExhausted,
        ArrowError::IoError(..) => ErrorKind::Unavailable,
        ArrowError::CastError(_)
        | ArrowError::ParseError(_)
        | ArrowError::ComputeError(_)
        | ArrowError::DivideByZero
        | ArrowError::ArithmeticOverflow(_)
        | ArrowError::InvalidArgumentError(_)
        | ArrowError::NotYetImplemented(_) => query_fault,
        _ => ErrorKind::Internal,
    }
}

/// The first error of a type in the chain of causes.
fn find_source<T: StdError + 'static>(error: &DataFusionError) -> Option<&T> {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::parquet::errors::ParquetError;

    use super::*;

    #[track_caller]
    fn check(error: DataFusionError, origin: QueryOrigin, kind: ErrorKind) {
        let shared = Arc::new(error.context("inner"));
        let wrapped = DataFusionError::Shared(shared).context("outer");
        assert_eq!(from_datafusion(wrapped, origin).kind(), kind);
    }

    fn missing_file() -> object_store::Error {
        object_store::Error::NotFound { path: "a".into(), source: "gone".into() }
    }

    fn broken_store() -> object_store::Error {
        object_store::Error::Generic { store: "test", source: "timed out".into() }
    }

    #[test]
    fn the_root_decides_the_kind() {
        use QueryOrigin::{Engine, Sql};
        check(DataFusionError::Plan("no column x".into()), Sql, ErrorKind::InvalidRequest);
        check(DataFusionError::Execution("bad".into()), Sql, ErrorKind::InvalidRequest);
        check(DataFusionError::Execution("bad".into()), Engine, ErrorKind::Internal);
        check(ArrowError::DivideByZero.into(), Sql, ErrorKind::InvalidRequest);
        check(ArrowError::CastError("x".into()).into(), Engine, ErrorKind::Internal);
        check(ArrowError::ParquetError("x".into()).into(), Sql, ErrorKind::CorruptData);
        check(ParquetError::EOF("x".into()).into(), Engine, ErrorKind::CorruptData);
        check(DataFusionError::ResourcesExhausted("x".into()), Sql, ErrorKind::ResourcesExhausted);
        check(missing_file().into(), Engine, ErrorKind::CorruptData);
        check(broken_store().into(), Engine, ErrorKind::Unavailable);
        check(DataFusionError::Internal("x".into()), Sql, ErrorKind::Internal);
    }

    #[test]
    fn a_full_disk_is_nobody_s_fault() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let in_arrow = ArrowError::IoError("No space left on device".into(), full());
        for error in [
            DataFusionError::IoError(full()),
            in_arrow.into(),
            DataFusionError::External(Box::new(full())),
            DataFusionError::ResourcesExhausted(format!("The {SPILL_LIMIT} has exceeded the limit")),
            DataFusionError::ParquetError(Box::new(ParquetError::External(Box::new(full())))),
        ] {
            check(error, QueryOrigin::Sql, ErrorKind::Unavailable);
        }
    }

    #[test]
    fn a_store_error_below_a_parquet_error_decides() {
        let parquet = ParquetError::External(Box::new(DataFileError {
            path: Path::from("logs/1.parquet"),
            source: Box::new(ParquetError::External(Box::new(broken_store()))),
        }));
        let error = from_datafusion(parquet.into(), QueryOrigin::Engine);
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("logs/1.parquet"), "{error}");
    }

    #[test]
    fn errors_of_the_engine_stay_what_they_are() {
        let own = || Box::new(Error::new(ErrorKind::DeadlineExceeded, "out of time"));
        let error = from_datafusion(DataFusionError::External(own()), QueryOrigin::Sql);
        assert_eq!((error.kind(), error.message()), (ErrorKind::DeadlineExceeded, "out of time"));
        check(DataFusionError::External(own()), QueryOrigin::Sql, ErrorKind::DeadlineExceeded);
    }
}
